class AgentTaskTracker < Formula
  desc "Server that AI agents and CI jobs report to, live in the browser"
  homepage "@repository@"
  version "@version@"
  license "MIT"

  on_macos do
    on_arm do
      url "@url macos-arm64-dir.tar.gz@"
      sha256 "@sha256 macos-arm64-dir.tar.gz@"
    end
    on_intel do
      url "@url macos-x86_64-dir.tar.gz@"
      sha256 "@sha256 macos-x86_64-dir.tar.gz@"
    end
  end

  on_linux do
    on_arm do
      url "@url linux-arm64-dir.tar.gz@"
      sha256 "@sha256 linux-arm64-dir.tar.gz@"
    end
    on_intel do
      url "@url linux-x86_64-dir.tar.gz@"
      sha256 "@sha256 linux-x86_64-dir.tar.gz@"
    end
  end

  def install
    libexec.install Dir["*"]
    bin.install_symlink libexec/"tracker"
  end

  service do
    run [opt_bin/"tracker", "serve"]
    keep_alive true
    log_path var/"log/agent-task-tracker.log"
    error_log_path var/"log/agent-task-tracker.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/tracker --version")
  end
end
