#!/bin/sh
# Live HLS beside nginx, which sends the same playlists, parts and segments as files. Prints a table.
#
#   crates/server/benches/live_hls.sh [path of the headwater binary]
#
# Headwater serves its own moving picture, which goes on meanwhile: its playlists change three times a second, nginx has
# those of one moment. They are measured in turns, ROUNDS times; medians are printed. The demo's encoder and window are in
# Headwater's processor time. Where they run, what they need and how that time is read stands in beside_nginx.sh
# and beside_nginx.py.
set -eu
. "$(dirname "$0")/beside_nginx.sh"
start_headwater demo
# The window fills up: a playlist of a minute.
sleep "${WINDOW_SECONDS:-60}"

hls="$dir/files/live/demo/hls"
mkdir -p "$hls/video-0"
base="http://127.0.0.1:$HEADWATER_PORT/live/demo"
curl -sf "$base/hls/video-0.m3u8" > "$hls/video-0.m3u8"
curl -sf "$base/hls/video-0.m3u8?dvr=0" > "$hls/edge.m3u8"
part=$(sed -n 's/^#EXT-X-PART:.*URI="\([^"]*\)".*/\1/p' "$hls/video-0.m3u8" | tail -n 1)
segment=$(grep -v '^#' "$hls/video-0.m3u8" | tail -n 1)
for file in "$part" "$segment"; do curl -sf "$base/hls/$file" > "$hls/$file"; done
start_nginx "$dir/files"

cat > "$dir/measure.py" <<'EOT'
import os, sys
from beside_nginx import in_turns, servers, wrk

directory, part, segment = sys.argv[1:]
nginx, headwater = servers(directory)
cases = {
    "playlist, whole window": {nginx: "video-0.m3u8", headwater: "video-0.m3u8"},
    "playlist, live edge": {nginx: "edge.m3u8", headwater: "video-0.m3u8?dvr=0"},
    "part": {nginx: part, headwater: part},
    "segment": {nginx: segment, headwater: segment},
}
print("| case | bytes | server | requests/s | CPU us each |\n| --- | --- | --- | --- | --- |")
for name, paths in cases.items():
    size = os.path.getsize(f"{directory}/files/live/demo/hls/{paths[nginx]}")
    for server, rate, low, high, cpu in in_turns(paths, lambda server: wrk(server, f"/live/demo/hls/{paths[server]}")):
        print(f"| {name} | {size:,} | {server} | {rate:,.0f} ({low:,.0f} to {high:,.0f}) | {cpu:,.1f} |", flush=True)
EOT
measure "$dir/measure.py" "$dir" "$part" "$segment"
