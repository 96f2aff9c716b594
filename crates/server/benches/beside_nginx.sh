# What http_files.sh and live_hls.sh share; they read it, it is not run by itself.
#
# nginx and Headwater stand side by side, pinned to core 0; the load (wrk, curl) is pinned to core 1. beside_nginx.py
# measures them in turns. Needs nginx, wrk, curl and python3 (Debian: apt install nginx-light wrk curl python3).
#
# $headwater is the binary, $dir a directory for this run, which is removed at the end.
headwater=$(realpath "${1:-target/release/headwater}")
[ -x "$headwater" ] || { echo "there is no $headwater: cargo build --release" >&2; exit 1; }
benches=$(dirname "$0")
dir=$(mktemp -d)
trap 'kill $(cat "$dir"/*.pid 2>/dev/null) 2>/dev/null || :; sleep 0.5; rm -rf "$dir"' EXIT
export NGINX_PORT="${NGINX_PORT:-18481}" HEADWATER_PORT="${HEADWATER_PORT:-18482}"
export ROUNDS="${ROUNDS:-5}" SECONDS_EACH="${SECONDS_EACH:-4}"

# start_headwater COMMAND [ARGUMENT...]
start_headwater() {
  taskset -c 0 "$headwater" "$@" --data "$dir/data" --rtmp 127.0.0.1:0 --http "127.0.0.1:$HEADWATER_PORT" \
    > "$dir/headwater.log" 2>&1 &
  echo $! > "$dir/headwater.pid"
}

# start_nginx DIRECTORY: serves its files. One worker, as one core is what both have; sendfile, and the limit that keeps one
# connection from taking the worker.
start_nginx() {
  chmod -R a+rX "$dir"
  cat > "$dir/nginx.conf" <<END
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/nginx.log;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  open_file_cache max=100 inactive=60s;
  types { application/vnd.apple.mpegurl m3u8; video/mp4 mp4 m4s; }
  server { listen 127.0.0.1:$NGINX_PORT; root $1; }
}
END
  taskset -c 0 nginx -c "$dir/nginx.conf"
}

# measure SCRIPT [ARGUMENT...]: a script of Python that has beside_nginx.py.
measure() {
  PYTHONPATH="$benches" python3 -B "$@"
}
