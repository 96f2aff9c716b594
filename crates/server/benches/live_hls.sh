#!/bin/sh
# Live HLS beside nginx, which sends the same playlists, parts and segments as files. Prints a table.
#
#   crates/server/benches/live_hls.sh [path of the headwater binary]
#
# Headwater serves its own moving picture, which goes on meanwhile: its playlists change three times a second, nginx has
# those of one moment. The servers are pinned to core 0 and the load to core 1, and are measured in turns, ROUNDS times;
# medians are printed. CPU is that of the server's process from /proc, the demo's encoder and window included; on loopback
# what the receiver does is billed to it too.
# Needs nginx, wrk, curl and python3 (Debian: apt install nginx-light wrk curl python3).
set -eu
headwater=$(realpath "${1:-target/release/headwater}")
[ -x "$headwater" ] || { echo "there is no $headwater: cargo build --release" >&2; exit 1; }
dir=$(mktemp -d)
trap 'kill $(cat "$dir"/*.pid 2>/dev/null) 2>/dev/null || :; sleep 0.5; rm -rf "$dir"' EXIT
port=${HEADWATER_PORT:-18482}
taskset -c 0 "$headwater" demo --data "$dir/data" --rtmp 127.0.0.1:0 --http "127.0.0.1:$port" > "$dir/headwater.log" 2>&1 &
echo $! > "$dir/headwater.pid"
# The window fills up: a playlist of a minute.
sleep "${WINDOW_SECONDS:-60}"

files="$dir/files/live/demo"
mkdir -p "$files/hls/video-0"
base="http://127.0.0.1:$port/live/demo"
curl -sf "$base/hls/video-0.m3u8" > "$files/hls/video-0.m3u8"
curl -sf "$base/hls/video-0.m3u8?dvr=0" > "$files/hls/edge.m3u8"
part=$(sed -n 's/^#EXT-X-PART:.*URI="\([^"]*\)".*/\1/p' "$files/hls/video-0.m3u8" | tail -n 1)
segment=$(grep -v '^#' "$files/hls/video-0.m3u8" | tail -n 1)
for file in "$part" "$segment"; do curl -sf "$base/hls/$file" > "$files/hls/$file"; done
chmod -R a+rX "$dir"
cat > "$dir/nginx.conf" <<EOF
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/nginx.log;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  open_file_cache max=100 inactive=60s;
  types { application/vnd.apple.mpegurl m3u8; video/mp4 m4s; }
  server { listen 127.0.0.1:${NGINX_PORT:-18481}; root $dir/files; }
}
EOF
taskset -c 0 nginx -c "$dir/nginx.conf"

cat > "$dir/measure.py" <<'EOF'
import os, re, statistics, subprocess, sys
directory, rounds, seconds, nginx_port, headwater_port, part, segment = sys.argv[1:]
tick = os.sysconf("SC_CLK_TCK")
master = open(f"{directory}/nginx.pid").read().strip()
pids = {
    "nginx": subprocess.check_output(["pgrep", "-P", master]).decode().split()[0],
    "headwater": open(f"{directory}/headwater.pid").read().strip(),
}
ports = {"nginx": nginx_port, "headwater": headwater_port}

def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / tick

def measure(server, path):
    before = cpu(pids[server])
    url = f"http://127.0.0.1:{ports[server]}/live/demo/hls/{path}"
    out = subprocess.check_output(["taskset", "-c", "1", "wrk", "-t1", "-c64", f"-d{seconds}s", "--timeout", "30s", url]).decode()
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    return rate, (cpu(pids[server]) - before) / requests * 1e6

cases = {
    "playlist, whole window": {"nginx": "video-0.m3u8", "headwater": "video-0.m3u8"},
    "playlist, live edge": {"nginx": "edge.m3u8", "headwater": "video-0.m3u8?dvr=0"},
    "part": dict.fromkeys(pids, part),
    "segment": dict.fromkeys(pids, segment),
}
print("| case | bytes | server | requests/s | CPU us each |\n| --- | --- | --- | --- | --- |")
for name, paths in cases.items():
    size = os.path.getsize(f"{directory}/files/live/demo/hls/{paths['nginx']}")
    found = {server: [] for server in pids}
    for _ in range(int(rounds)):
        for server in pids:
            found[server].append(measure(server, paths[server]))
    for server, values in found.items():
        rates, cpus = zip(*values)
        print(f"| {name} | {size:,} | {server} | {statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) | {statistics.median(cpus):,.1f} |", flush=True)
EOF
python3 "$dir/measure.py" "$dir" "${ROUNDS:-5}" "${SECONDS_EACH:-4}" "${NGINX_PORT:-18481}" "$port" "$part" "$segment"
