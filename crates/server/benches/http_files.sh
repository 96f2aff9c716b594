#!/bin/sh
# HTTP files beside nginx: whole downloads, and small ranges on kept-alive connections. Prints a table.
#
#   crates/server/benches/http_files.sh [path of the headwater binary]
#
# Both servers send the same file, in turns, each measurement ROUNDS times; the medians are printed. Where they run, what
# they need and how processor time is read stands in beside_nginx.sh and beside_nginx.py.
set -eu
. "$(dirname "$0")/beside_nginx.sh"
mkdir "$dir/media"
head -c 1073741824 /dev/urandom > "$dir/media/large.mp4"
start_nginx "$dir/media"
start_headwater serve --media "$dir/media"
sleep 2

cat > "$dir/range.lua" <<'EOT'
-- A range of so many bytes at a random place of the file.
local length = tonumber(os.getenv("RANGE_LEN"))
math.randomseed(7)
request = function()
  local start = math.random(0, 1000000000)
  wrk.headers["Range"] = "bytes=" .. start .. "-" .. (start + length - 1)
  return wrk.format("GET")
end
EOT

cat > "$dir/measure.py" <<'EOT'
import subprocess, sys
from beside_nginx import ON_CORE_1, in_turns, servers, wrk

directory = sys.argv[1]
nginx, headwater = servers(directory)
paths = {nginx: "/large.mp4", headwater: "/vod/large.mp4"}

def whole(server):
    before = server.cpu()
    command = [*ON_CORE_1, "curl", "-s", "-o", "/dev/null", "-w", "%{size_download} %{time_total}", server.base + paths[server]]
    size, time = map(float, subprocess.check_output(command).decode().split())
    assert size == 1 << 30, size
    return size / time / 1e9, (server.cpu() - before) / (size / 1e9)

def ranges(length, connections):
    return lambda server: wrk(server, paths[server], connections, f"{directory}/range.lua", {"RANGE_LEN": str(length)})

cases = [("whole, 1 GiB", "GB/s", "CPU s per GB", whole)]
for length, connections in [(1000, 1), (1000, 64), (65536, 64), (1 << 20, 64)]:
    name = f"ranges of {length} B, {connections} connections"
    cases.append((name, "requests/s", "CPU us per request", ranges(length, connections)))
for server in paths:
    whole(server)
print("| case | server | rate | CPU |\n| --- | --- | --- | --- |")
for name, rate_unit, cpu_unit, measure in cases:
    for server, rate, low, high, cpu in in_turns(paths, measure):
        print(f"| {name} | {server} | {rate:,.2f} {rate_unit} ({low:,.2f} to {high:,.2f}) | {cpu:,.3f} {cpu_unit} |", flush=True)
EOT
measure "$dir/measure.py" "$dir"
