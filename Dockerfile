# The server as a container: docker build -t agent-task-tracker .
# docs/install.md says how to run it: any user, a read-only root, one volume, /data.
#
# The same for x86-64 and arm64: nothing is compiled.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
COPY requirements-run.txt requirements-web.txt requirements-wheel.txt ./
# First what is locked, so that a change of the code does not install it again.
RUN python3 -m venv /opt/tracker && python3 -m venv /opt/build \
 && /opt/tracker/bin/python -m pip install --no-cache-dir --only-binary :all: --require-hashes \
    -r requirements-run.txt \
 && /opt/build/bin/python -m pip install --no-cache-dir --only-binary :all: --require-hashes \
    -r requirements-wheel.txt -r requirements-web.txt
COPY pyproject.toml README.md LICENSE ./
COPY agent_task_tracker agent_task_tracker
COPY tracker tracker
COPY scripts/_dashboard.py scripts/hatch_build.py scripts/
RUN /opt/build/bin/python -m hatchling build -t wheel -d /opt/build \
 && /opt/tracker/bin/python -m pip install --no-cache-dir --no-deps --no-index /opt/build/*.whl \
 && /opt/tracker/bin/python -m pip uninstall --yes pip setuptools

FROM ${BASE}
COPY --from=build /opt/tracker /opt/tracker
# Whatever user the container is given, OpenShift's random ones too, it is in the group 0.
RUN mkdir /data && chown 10001:0 /data && chmod 2770 /data
ENV PATH=/opt/tracker/bin:$PATH \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    TRACKER_HOST=0.0.0.0 \
    TRACKER_PORT=8000 \
    TRACKER_DB=/data/tracker.db \
    TRACKER_READY_FILE=/data/ready.json
USER 10001:0
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# By the ready file it finds the port, whatever it is.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s \
    CMD ["tracker", "wait", "--ready", "--timeout", "5"]
ENTRYPOINT ["tracker"]
CMD ["serve"]
