"""What do the doors cost? Each beside nginx, which answers the same request with a fixed body, in the same minute.

    run.py [--pairs N] [--seconds S] [--only NAME,...] [--program FILE]

One core for the server, the other for the client (taskset). Pairs run alternately, ours first in one, nginx first in the
next; the ratio is the median of the pairs' ratios. The client can be the slower of the two, so the server's own CPU time
(user and system, from /proc) is said beside every rate: `us CPU` is what one request costs the server.

Writes a Markdown report to standard output and build/bench.md. Only loopback; all that was started is ended.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
SERVER_CORE, CLIENT_CORE = "0", "1"
TICKS = os.sysconf("SC_CLK_TCK")
AUTH_HEADERS = re.findall(r'^wrk\.headers\["([^"]+)"\] = "([^"]*)"$', (BENCH / "auth.lua").read_text(), re.M)
SESSION = "session_id=" + "kQ3x9_-Zt7" * 8 + "abcd; frontend_lang=de_CH"

report = []


def say(line=""):
    report.append(line)
    print(line, flush=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid):
    return int(re.search(r"^VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)) / 1024


class Ours:
    """One door of the program, on one core, one loop."""

    def __init__(self, program, door, scratch, tls=None, documents=BENCH / "documents"):
        command = ["taskset", "-c", SERVER_CORE, str(program), door, "--config", str(documents), "--listen", "127.0.0.1:0",
                   "--threads", "1", "--audit-log", str(scratch / f"{door}.audit")]
        if tls:
            command += ["--tls-cert", str(tls / "server.pem"), "--tls-key", str(tls / "server.key")]
        started = time.monotonic()
        self.errors = open(scratch / f"{door}.log", "wb+")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors)
        deadline = started + 120
        while True:
            text = pathlib.Path(self.errors.name).read_text(errors="replace")
            ready = re.search(rf"^ready {door} (https?)://127\.0\.0\.1:(\d+)", text, re.M)
            if ready:
                break
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the {door} did not start:\n{text}")
            time.sleep(0.005)
        self.ready_seconds = time.monotonic() - started
        self.scheme, self.port, self.pid = ready.group(1), int(ready.group(2)), self.process.pid
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"

    def stop(self):
        while self.process.poll() is None:  # the first begins a drain, the next ends it; two at once may arrive as one
            self.process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        self.errors.close()


class Nginx:
    """One worker on one core; `answer` is the fixed body, empty for an empty 200."""

    def __init__(self, scratch, answer, tls=None, http2=False):
        self.scratch = pathlib.Path(tempfile.mkdtemp(dir=scratch))
        self.port = free_port()
        words = ["ssl"] * bool(tls) + ["http2"] * http2
        body = f"return 200 '{answer}';" if answer else "return 200;"
        secure = f"ssl_certificate {tls}/server.pem; ssl_certificate_key {tls}/server.key; ssl_protocols TLSv1.2 TLSv1.3;" if tls else ""
        (self.scratch / "nginx.conf").write_text(f"""
            worker_processes 1; daemon off; pid {self.scratch}/pid; error_log {self.scratch}/error.log;
            events {{ worker_connections 4096; }}
            http {{
              access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; client_max_body_size 8m; default_type application/json;
              client_body_temp_path {self.scratch}; proxy_temp_path {self.scratch}; fastcgi_temp_path {self.scratch};
              uwsgi_temp_path {self.scratch}; scgi_temp_path {self.scratch}; tcp_nodelay on; {secure}
              server {{ listen 127.0.0.1:{self.port} {' '.join(words)}; location / {{ {body} }} }}
            }}""")
        # The body of a POST is read off the connection and thrown away: the least that any server can do with it.
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, "nginx", "-p", str(self.scratch), "-c", str(self.scratch / "nginx.conf")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        while not (children.exists() and children.read_text().split()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("nginx did not start:\n" + (self.scratch / "error.log").read_text())
            time.sleep(0.01)
        self.pid = int(children.read_text().split()[0])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def wrk(url, script, seconds, connections=32, body=None):
    """(requests a second, requests, p99 in ms). Anything but 2xx is an error."""
    environment = {**os.environ, **({"BODY": str(body)} if body else {})}
    done = subprocess.run(["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url],
                          env=environment, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in done or "Socket errors" in done:
        raise SystemExit(f"{url}: not every request was answered well:\n{done}")
    latency, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done).groups()
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", done).group(1)), int(re.search(r"(\d+) requests in", done).group(1)),
            float(latency) * {"us": 0.001, "ms": 1, "s": 1000}[unit])


def h2load(url, seconds, connections, streams):
    command = ["taskset", "-c", CLIENT_CORE, "h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}"]
    for name, value in [*AUTH_HEADERS, ("Cookie", SESSION)]:
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    total, good = int(re.search(r"status codes: (\d+) 2xx", done).group(1)), re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", done).groups()
    if any(int(number) for number in good) or not re.search(r"2xx, 0 3xx, 0 4xx, 0 5xx", done):
        raise SystemExit(f"{url}: not every request was answered well:\n{done}")
    return float(re.search(r"([\d.]+) req/s", done).group(1)), total, 0.0


def measured(server, load):
    before = cpu_seconds(server.pid)
    rate, requests, p99 = load(server.url)
    return {"rate": rate, "cpu": (cpu_seconds(server.pid) - before) / requests * 1e6, "p99": p99}


def compare(name, ours, nginx, load, options):
    """Alternating pairs; one row of the table."""
    load(ours.url), load(nginx.url)  # both warm
    pairs = []
    for number in range(options.pairs):
        order = [ours, nginx] if number % 2 == 0 else [nginx, ours]
        results = {server: measured(server, load) for server in order}
        pairs.append((results[ours], results[nginx]))
    ratios = [mine["rate"] / theirs["rate"] for mine, theirs in pairs]
    costs = [theirs["cpu"] / mine["cpu"] for mine, theirs in pairs]
    middle = lambda side, key: statistics.median(pair[side][key] for pair in pairs)
    say(f"| {name} | {middle(0, 'rate'):,.0f} | {middle(1, 'rate'):,.0f} | **{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f}) "
        f"| {middle(0, 'cpu'):.2f} | {middle(1, 'cpu'):.2f} | {statistics.median(costs):.2f} | {middle(0, 'p99'):.2f} |")


def post(url, body, certificate):
    done = subprocess.run(["curl", "-sS", "--cacert", str(certificate), "-H", "Content-Type: application/json", "--data-binary", f"@{body}", url],
                          capture_output=True, text=True, check=True).stdout
    if not json.loads(done)["response"]["allowed"]:
        raise SystemExit(f"{body.name} is denied, so nothing would be measured but denials:\n{done}")
    return done


def table():
    say("| | ours /s | nginx /s | ratio (spread) | ours µs CPU | nginx µs CPU | CPU ratio | ours p99 ms |")
    say("|---|---|---|---|---|---|---|---|")


def bench_webhook(options, scratch):
    say("## Webhook: one AdmissionReview, six rules judged\n")
    say(f"`wrk -t1 -c32 -d{options.seconds}s`, TLS 1.3, keep-alive; nginx answers a body of the same size and throws the review away.\n")
    table()
    for size in ("10k", "35k"):
        body = BENCH / "data" / f"review-{size}.json"
        with contextlib.ExitStack() as stack:
            ours = Ours(options.program, "webhook", scratch, scratch)
            stack.callback(ours.stop)
            answer = post(ours.url + "/validate?timeout=5s", body, scratch / "ca.pem")
            nginx = Nginx(scratch, answer.strip(), scratch)
            stack.callback(nginx.stop)
            compare(f"{size[:-1]} KB review", ours, nginx, lambda url: wrk(url + "/validate?timeout=5s", BENCH / "review.lua", options.seconds, body=body), options)
    say()


def bench_guard(options, scratch):
    say("## Guard: one forward-auth request, access lists and limits judged\n")
    say(f"`wrk -t1 -c32 -d{options.seconds}s` over plain HTTP/1.1; `h2load -t1 -m32 -D{options.seconds}` over TLS 1.3 and HTTP/2; nginx answers an empty 200.\n")
    table()
    with contextlib.ExitStack() as stack:
        ours, nginx = Ours(options.program, "guard", scratch), Nginx(scratch, "")
        stack.callback(ours.stop), stack.callback(nginx.stop)
        compare("HTTP/1.1, 32 connections", ours, nginx, lambda url: wrk(url + "/auth", BENCH / "auth.lua", options.seconds), options)
    for connections in (1, 8):
        with contextlib.ExitStack() as stack:
            ours, nginx = Ours(options.program, "guard", scratch, scratch), Nginx(scratch, "", scratch, http2=True)
            stack.callback(ours.stop), stack.callback(nginx.stop)
            compare(f"TLS, HTTP/2, {connections} connection{'s' * (connections > 1)} of 32 streams", ours, nginx,
                    lambda url: h2load(url + "/auth", options.seconds, connections, 32), options)
    say()


def bench_memory(options, scratch):
    say("## Memory\n")
    say("| | at rest | after 10⁶ requests |")
    say("|---|---|---|")
    body = BENCH / "data/review-10k.json"
    for door, tls, load in (
            ("webhook", scratch, lambda url: wrk(url + "/validate?timeout=5s", BENCH / "review.lua", options.seconds, body=body)),
            ("guard", None, lambda url: wrk(url + "/auth", BENCH / "auth.lua", options.seconds))):
        ours = Ours(options.program, door, scratch, tls)
        try:
            rest, sent = resident_mib(ours.pid), 0
            while sent < 1_000_000:
                sent += load(ours.url)[1]
            say(f"| {door} | {rest:.1f} MiB | {resident_mib(ours.pid):.1f} MiB ({sent:,} requests) |")
        finally:
            ours.stop()
    say()


def grown(directory, policies, tenants):
    """The benchmark's documents with so many policies and tenants; the review still meets one policy's rules."""
    directory.mkdir()
    shutil.copy(BENCH / "documents/documents.yaml", directory / "documents.yaml")
    with open(directory / "more.yaml", "w") as file:
        for number in range(policies - 1):
            file.write(f"---\napiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {{name: more-{number}}}\nspec:\n"
                       f"  match: {{tenants: [nordhaven-supply]}}\n  rules:\n    - {{id: image-registry, with: {{allow: [\"registry-{number}.example/**\"]}}}}\n"
                       f"    - {{id: replica-floor, with: {{min: 2}}}}\n")
        for number in range(tenants - 2):
            file.write(f"---\napiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {{name: more-{number}}}\nspec:\n  tier: 2\n  timeZone: Europe/Berlin\n"
                       f"  hosts: [erp.more-{number}.example]\n  namespaces: [{{name: more-{number}-prod, environment: production, tenancy: multi-tenant}}]\n")
    return directory


def bench_growth(options, scratch):
    say("## Growth\n")
    say("Documents read, validated and compiled at start; then the 10 KB review. `µs CPU` is the server's own time a review.\n")
    say("| policies | tenants | ready after | at rest | reviews /s | µs CPU |")
    say("|---|---|---|---|---|---|")
    body = BENCH / "data/review-10k.json"
    for policies, tenants in ((10, 10), (1000, 10), (10, 10_000)):
        documents = grown(scratch / f"grown-{policies}-{tenants}", policies, tenants)
        ours = Ours(options.program, "webhook", scratch, scratch, documents)
        try:
            rest = resident_mib(ours.pid)
            result = measured(ours, lambda url: wrk(url + "/validate?timeout=5s", BENCH / "review.lua", options.seconds, body=body))
            say(f"| {policies:,} | {tenants:,} | {ours.ready_seconds:.2f} s | {rest:.1f} MiB | {result['rate']:,.0f} | {result['cpu']:.2f} |")
        finally:
            ours.stop()
    say()


def bench_parts(options, _):
    say("## The parts (google-benchmark)\n")
    program = ROOT / "build/bench/bench/portcullis_bench"
    done = subprocess.run(["taskset", "-c", SERVER_CORE, str(program), "--benchmark_format=json", "--benchmark_repetitions=5",
                           "--benchmark_report_aggregates_only=true", "--benchmark_min_time=0.2"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    say("| what | median | spread (cv) |")
    say("|---|---|---|")
    rows = {}
    for run in json.loads(done)["benchmarks"]:
        rows.setdefault(run["run_name"], {})[run["aggregate_name"]] = run
    for name, run in rows.items():
        spread = run.get("cv", {}).get("cpu_time")
        say(f"| {name} | {run['median']['cpu_time']:,.1f} {run['median']['time_unit']} | {'' if spread is None else f'{100 * spread:.1f} %'} |")
    say()


def machine(options):
    def first(command):
        try:
            done = subprocess.run(command, capture_output=True, text=True)
            return (done.stdout + done.stderr).strip().splitlines()[0]
        except (OSError, IndexError):
            return "?"
    cpu = re.search(r"^Model name:\s+(.*)$", subprocess.run(["lscpu"], capture_output=True, text=True).stdout, re.M)
    say(f"{cpu.group(1) if cpu else '?'}, {os.cpu_count()} cores, Linux {os.uname().release}; {first(['g++', '--version'])}; {first(['nginx', '-v'])}; "
        f"{first(['wrk', '-v'])[:12]}; {first(['openssl', 'version'])}. `{first([str(options.program), 'version'])}`, release preset. "
        f"{time.strftime('%Y-%m-%d')}, {options.pairs} pairs of {options.seconds} s, one core each.\n")


def main():
    benches = {"webhook": bench_webhook, "guard": bench_guard, "memory": bench_memory, "growth": bench_growth, "parts": bench_parts}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--only", default=",".join(benches), help=", ".join(benches))
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/portcullis")
    options = parser.parse_args()
    if os.cpu_count() < 2:
        raise SystemExit("one core for the server and one for the client are needed")
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory:
        scratch = pathlib.Path(directory)
        subprocess.run([str(ROOT / "certs/make-demo-certs.sh"), str(scratch)], check=True, capture_output=True)
        say("# Measured\n")
        machine(options)
        for name in options.only.split(","):
            benches[name](options, scratch)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build/bench.md").write_text("\n".join(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
