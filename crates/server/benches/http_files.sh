#!/bin/sh
# HTTP files beside nginx: whole downloads, and small ranges on kept-alive connections. Prints a table.
#
#   crates/server/benches/http_files.sh [path of the headwater binary]
#
# The server under test is pinned to core 0 and the load to core 1. Both servers send the same files, in turns, each
# measurement ROUNDS times; the medians are printed. CPU is that of the server's process from /proc, in user and
# system; what the kernel does for it on the way out is billed to it on loopback, receiving included.
# Needs nginx, wrk, curl and python3 (Debian: apt install nginx-light wrk curl python3).
set -eu
headwater=$(realpath "${1:-target/release/headwater}")
[ -x "$headwater" ] || { echo "there is no $headwater: cargo build --release" >&2; exit 1; }
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-4}
dir=$(mktemp -d)
trap 'kill $(cat "$dir"/*.pid 2>/dev/null) 2>/dev/null || :; sleep 0.5; rm -rf "$dir"' EXIT
mkdir "$dir/media"
head -c 1073741824 /dev/urandom > "$dir/media/large.mp4"
chmod -R a+rX "$dir"

# One worker, as one core is what both have; sendfile, and the limit that keeps one connection from taking the worker.
cat > "$dir/nginx.conf" <<EOF
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/nginx.log;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  open_file_cache max=100 inactive=60s;
  types { video/mp4 mp4; }
  server { listen 127.0.0.1:${NGINX_PORT:-18481}; root $dir/media; }
}
EOF
printf 'media = "%s"\n' "$dir/media" > "$dir/headwater.toml"
taskset -c 0 nginx -c "$dir/nginx.conf"
taskset -c 0 "$headwater" serve -c "$dir/headwater.toml" --data "$dir/data" --rtmp 127.0.0.1:0 \
  --http "127.0.0.1:${HEADWATER_PORT:-18482}" > "$dir/headwater.log" 2>&1 &
echo $! > "$dir/headwater.pid"
sleep 2

cat > "$dir/range.lua" <<'EOF'
-- A range of so many bytes at a random place of the file.
local length = tonumber(os.getenv("RANGE_LEN"))
math.randomseed(7)
request = function()
  local start = math.random(0, 1000000000)
  wrk.headers["Range"] = "bytes=" .. start .. "-" .. (start + length - 1)
  return wrk.format("GET")
end
EOF

cat > "$dir/measure.py" <<'EOF'
import os, re, statistics, subprocess, sys
directory, rounds, seconds, nginx_port, headwater_port = sys.argv[1:]
rounds, seconds = int(rounds), int(seconds)
tick = os.sysconf("SC_CLK_TCK")

def nginx_worker():
    master = open(f"{directory}/nginx.pid").read().strip()
    return subprocess.check_output(["pgrep", "-P", master]).decode().split()[0]

servers = {
    "nginx": (nginx_worker(), f"http://127.0.0.1:{nginx_port}/large.mp4"),
    "headwater": (open(f"{directory}/headwater.pid").read().strip(), f"http://127.0.0.1:{headwater_port}/vod/large.mp4"),
}

def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / tick

def whole(pid, url):
    before = cpu(pid)
    out = subprocess.check_output(["taskset", "-c", "1", "curl", "-s", "-o", "/dev/null", "-w", "%{size_download} %{time_total}", url])
    size, time = map(float, out.decode().split())
    assert size == 1 << 30, size
    return size / time / 1e9, (cpu(pid) - before) / (size / 1e9)

def ranges(pid, url, length, connections):
    before = cpu(pid)
    environment = dict(os.environ, RANGE_LEN=str(length))
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", f"{directory}/range.lua", url]
    out = subprocess.check_output(command, env=environment).decode()
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    return rate, (cpu(pid) - before) / requests * 1e6

cases = [("whole, 1 GiB", "GB/s", "CPU s per GB", whole, ())]
for length, connections in [(1000, 1), (1000, 64), (65536, 64), (1 << 20, 64)]:
    cases.append((f"ranges of {length} B, {connections} connections", "requests/s", "CPU us per request", ranges, (length, connections)))
for server, (pid, url) in servers.items():
    whole(pid, url)
print("| case | server | rate | CPU |\n| --- | --- | --- | --- |")
for name, rate_unit, cpu_unit, measure, arguments in cases:
    found = {server: [] for server in servers}
    for _ in range(rounds):
        for server, (pid, url) in servers.items():
            found[server].append(measure(pid, url, *arguments))
    for server, values in found.items():
        rates, cpus = zip(*values)
        low, high = min(rates), max(rates)
        print(f"| {name} | {server} | {statistics.median(rates):,.2f} {rate_unit} ({low:,.2f} to {high:,.2f}) | {statistics.median(cpus):,.3f} {cpu_unit} |", flush=True)
EOF
python3 "$dir/measure.py" "$dir" "$rounds" "$seconds" "${NGINX_PORT:-18481}" "${HEADWATER_PORT:-18482}"
