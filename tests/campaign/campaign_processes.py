"""Real processes that the durability tests start, kill and starve; run as a script.

Modules are imported once, and every task and every worker is a fork: a hundred take seconds. Tasks
come on standard input, as JSON [name, folder, number]; the last line of an answer is "end STATUS".
"""

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

from skcfgp.campaign import Campaign
from skcfgp.campaign.engine import Engine
from skcfgp.campaign.store import Ledger


def value_of(id_):
    """The label that a crystal gets, whoever tells it."""
    return random.Random(id_).uniform(-3, 1)


def fork(work):
    """Start `work(acknowledge)` in a process; return its id and where it acknowledges."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writable)
        return pid, readable
    os.close(readable)
    status = 1
    try:
        work(lambda *done: os.write(writable, (json.dumps(done) + "\n").encode()))
        status = 0
    except KeyboardInterrupt:
        status = 130
    finally:
        os._exit(status)


def acknowledged(readable):
    """Read what a process acknowledged, until it is gone."""
    with os.fdopen(readable) as file:
        return [json.loads(line) for line in file]


def wait_for(readable, n, what=b""):
    """Wait until a process has acknowledged something so many times; return all until then."""
    lines, line = [], b""
    while sum(what in line for line in lines) < n:
        while not line.endswith(b"\n"):
            line += os.read(readable, 1)
        lines, line = [*lines, line], b""
    return [json.loads(line) for line in lines]


def work_on(folder, seed, rounds=10**9):
    """Suggest, tell, fail and release at random, and acknowledge each when it is done."""

    def work(acknowledge):
        rng = random.Random(seed)
        for _ in range(rounds):
            campaign = Campaign(folder)
            state = campaign.state()
            verb = rng.choices(["suggest", "tell", "fail", "release", "undo"], [4, 8, 2, 2, 1])[0]
            try:
                if verb == "suggest" and state.counts()["pool"] > 3:
                    acknowledge("suggest", [pick["id"] for pick in campaign.suggest(3)])
                elif verb == "tell" and state.pending:
                    ids = rng.sample(list(state.pending), rng.randint(1, len(state.pending)))
                    told = campaign.tell({id_: value_of(id_) for id_ in ids})
                    if told.labelled:
                        acknowledge("tell", told.labelled)
                elif verb == "fail" and state.pending:
                    told = campaign.fail(rng.choice(list(state.pending)), "lost")
                    if told.failed:
                        acknowledge("fail", told.failed)
                elif verb == "release" and state.pending:
                    id_ = rng.choice(list(state.pending))
                    campaign.release(id_)
                    acknowledge("release", [id_])
                elif verb == "undo" and state.comparisons and rng.random() < 0.5:
                    event = campaign.undo()
                    acknowledge("undo", event.number)
            except ValueError:  # somebody else was quicker: what is no longer pending cannot fail
                continue

    return work


def kill(folder, n_kills):
    """Kill workers on one campaign at random moments; print what they acknowledged."""
    rng = random.Random(0)
    for k in range(n_kills):
        pid, readable = fork(work_on(folder, seed=k))
        done = wait_for(readable, rng.randint(0, 2))
        time.sleep(rng.uniform(0.0, 0.05))
        number = signal.SIGINT if k % 7 == 6 else signal.SIGKILL
        os.kill(pid, number)
        if number == signal.SIGINT:  # which a destructor may swallow
            time.sleep(0.3)
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        done += acknowledged(readable)
        state = Campaign(folder).state()
        counts = state.counts()
        print(json.dumps([done, counts, len(state.ids), state.n_events, int(number)]), flush=True)


def kill_while_writing(folder, n_kills):
    """Kill workers between the begin of a transaction that writes and its end; print as `kill`.

    The window is as long as a worker took for it that was left alone.
    """
    append = Ledger.append
    rng = random.Random(2)
    window = [0.0]

    def aimed(work):
        def announced(acknowledge):
            def announcing(ledger, verb, content):
                acknowledge("writing")
                return append(ledger, verb, content)

            Ledger.append = announcing
            work(acknowledge)

        return announced

    for k in range(-1, n_kills):
        pid, readable = fork(aimed(work_on(folder, seed=1000 + k)))
        done = wait_for(readable, rng.randint(1, 3), b"writing")
        start = time.monotonic()
        if k < 0:
            done += wait_for(readable, 1)
            window.append(time.monotonic() - start)
        time.sleep(rng.uniform(0, max(window)))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        done += acknowledged(readable)
        state = Campaign(folder).state()
        done = [verb for verb in done if verb != ["writing"]]
        print(json.dumps([done, state.counts(), len(state.ids), state.n_events, 9]), flush=True)


def race(folder, rounds):
    """Let two workers work on one campaign at once; print what they acknowledged."""
    workers = [fork(work_on(folder, seed, rounds)) for seed in range(2)]
    done = [acknowledged(readable) for _, readable in workers]
    statuses = [os.waitpid(pid, 0)[1] for pid, _ in workers]
    print(json.dumps([done, statuses]))


def resume(folder, n_kills):
    """Kill workers in the middle of a suggestion, each on a copy, and let another one finish it."""
    rng = random.Random(1)
    for k in range(n_kills):
        copy = Path(f"{folder}-{k}")
        shutil.copytree(folder, copy)
        pid, readable = fork(lambda acknowledge, copy=copy: Campaign(copy).suggest(3))
        time.sleep(rng.uniform(0.0, 0.06))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        acknowledged(readable)
        interrupted = not Campaign(copy).state().pending
        if interrupted:
            Campaign(copy).suggest(3)
        print(json.dumps([interrupted, Campaign(copy).history()[-1].content["picks"]]))


def tell_while_suggesting(folder, seconds):
    """Tell labels while another process takes so many seconds to choose; print what was waited."""
    suggest = Engine.suggest

    def work(acknowledge):
        def slowly(engine, *args):
            acknowledge("computing")
            time.sleep(seconds)
            return suggest(engine, *args)

        Engine.suggest = slowly
        acknowledge("suggest", [pick["id"] for pick in Campaign(folder).suggest(3)])

    pid, readable = fork(work)
    wait_for(readable, 1)
    start = time.monotonic()
    ids = Campaign(folder).state().pool[:5]
    Campaign(folder).tell({id_: value_of(id_) for id_ in ids})
    waited = time.monotonic() - start
    alive = os.waitpid(pid, os.WNOHANG) == (0, 0)
    done = acknowledged(readable)
    status = os.waitpid(pid, 0)[1] if alive else None
    print(json.dumps([waited, status, ids, done]))


def full(folder, limit):
    """Let no file grow beyond a limit, as on a full disk, and tell."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try_to_tell(folder)


def read_only(folder, user):
    """Become a user who must not write, and tell."""
    if user:
        os.setuid(user)
    try_to_tell(folder)


def warm_up(folder):
    """Import on a copy what a verb imports, while that can be done."""
    copy = f"{folder}-copy"
    shutil.copytree(folder, copy)
    campaign = Campaign(copy)
    campaign.tell({pick["id"]: 1.0 for pick in campaign.suggest(1)})
    campaign.suggest(1)
    shutil.rmtree(copy)


def try_to_tell(folder):
    for verb in ("tell", "suggest"):
        try:
            campaign = Campaign(folder)
            if verb == "tell":
                campaign.tell({id_: value_of(id_) for id_ in campaign.state().pool})
            else:
                campaign.suggest(5)
            print("it worked")
        except OSError as error:
            print(error)


def main(template):
    warm_up(template)
    for line in sys.stdin:
        name, folder, number = json.loads(line)
        pid = os.fork()
        if not pid:
            signal.alarm(600)
            globals()[name](folder, number)
            sys.stdout.flush()
            os._exit(0)  # after an exception the interpreter ends with a traceback
        print("end", os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
