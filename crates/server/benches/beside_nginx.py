"""Two servers measured in turns: requests, and the processor time that they took.

Processor time is that of the server's process from /proc, in user and system; what the kernel does for it on the way out
is billed to it on loopback, receiving included.
"""

import os, re, statistics, subprocess

TICK = os.sysconf("SC_CLK_TCK")
SECONDS = int(os.environ["SECONDS_EACH"])
ON_CORE_1 = ["taskset", "-c", "1"]


class Server:
    def __init__(self, name, pid, port):
        self.name, self.pid, self.base = name, pid, f"http://127.0.0.1:{port}"

    def cpu(self):
        """Seconds since it began."""
        fields = open(f"/proc/{self.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK


def servers(directory):
    """nginx, by its worker, and Headwater."""
    pid = lambda name: open(f"{directory}/{name}.pid").read().strip()
    worker = subprocess.check_output(["pgrep", "-P", pid("nginx")]).decode().split()[0]
    return Server("nginx", worker, os.environ["NGINX_PORT"]), Server("headwater", pid("headwater"), os.environ["HEADWATER_PORT"])


def wrk(server, path, connections=64, script=None, environment=None):
    """Requests in a second, and microseconds of the server's processor time for each."""
    before = server.cpu()
    command = [*ON_CORE_1, "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "30s"]
    command += ["-s", script] if script else []
    out = subprocess.check_output([*command, server.base + path], env={**os.environ, **(environment or {})}).decode()
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    return rate, (server.cpu() - before) / requests * 1e6


def in_turns(all_servers, measure):
    """For each server the medians of (rate, processor time), and the least and the largest rate."""
    found = {server: [] for server in all_servers}
    for _ in range(int(os.environ["ROUNDS"])):
        for server in all_servers:
            found[server].append(measure(server))
    for server, values in found.items():
        rates, times = zip(*values)
        yield server.name, statistics.median(rates), min(rates), max(rates), statistics.median(times)
