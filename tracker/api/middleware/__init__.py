"""What every request passes (names, origins, keys, limits); it imports `auth` and what all of
`api` shares."""
