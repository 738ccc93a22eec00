import { describe, expect, vi } from 'vitest'
import { testIf } from '../support/ability.ts'
import { type As, Mounting, whyNoMounts } from './mounting.ts'

vi.setConfig({ testTimeout: 180_000 })

const reason = whyNoMounts()
const able = testIf(reason === undefined, reason ?? '')
const mounting = Mounting.forFile()
const runs = (as: As, script: string, options?: { readonly before?: string }) => mounting().run(as, script, options)

/** A line for each container and each mounted image: where it is mounted, and how. */
const listed = `ply ps --json | "$NODE" -e '
  for (const { name, image, mounts } of JSON.parse(require("fs").readFileSync(0)))
    console.log(name ?? image, ...mounts.map(({ target, via, state, readOnly }) => [target, via, state, readOnly ? "ro" : "rw"].join()))'`

/** Somebody stands in a mount: `$user`. */
const occupied = `(cd mnt; exec sleep 100) & user=$!
  eventually 'test "$(readlink /proc/$user/cwd)" = $PWD/mnt'`

const killed = `kill -9 $(servers); eventually '[ -z "$(servers)" ]'`

describe('a mount in the background', () => {
  for (const as of ['root', 'user'] as const) {
    able(`is there when the command returns, and what is written in it is in the container (${as})`, () => {
      const said = runs(
        as,
        `ply mount work mnt --via fuse -q --uidmap 0:$(id -u):1 --gidmap 0:$(id -g):1
        cat mnt/etc/issue; echo new > mnt/etc/new; ln mnt/etc/new mnt/etc/link; rm mnt/etc/other
        ${listed}
        pid=$(servers); readlink /proc/$pid/cwd /proc/$pid/fd/0 /proc/$pid/fd/1 /proc/$pid/fd/2
        test "$(cut -d' ' -f7 /proc/$pid/stat)" = $pid && echo a session of its own
        ply umount mnt; ls mnt; ply changes work | sort; ply ls container:work /etc -l | cut -c1-18
        eventually '[ -z "$(servers)" ]'; ls store/mounts`,
      )
      expect(said).toBe(`./mnt
an image
work ./mnt,fuse,live,rw
/
/dev/null
/dev/null
/dev/null
a session of its own
./mnt
A /etc/link
A /etc/new
D /etc/other
-rw-r--r-- 1 0 0 9
-rw-r--r-- 2 0 0 4
-rw-r--r-- 2 0 0 4
`)
    })
  }

  able('inherits nothing, and survives who started it', () => {
    const said = runs(
      'root',
      `exec 200> lock; flock 200
      setsid bash -c '"$NODE" "$BIN" mount work mnt --via fuse -q; kill -HUP 0; sleep 5' || true
      exec 200>&-
      flock -n lock echo unlocked; cat mnt/etc/issue; ply umount mnt`,
    )
    expect(said).toBe('./mnt\nunlocked\nan image\n./mnt\n')
  })

  able('is refused, with the reason, where nothing comes of it', () => {
    const said = runs(
      'root',
      `no() { ply mount "$@" || echo "exit $?"; }
      touch file; mkdir store/in deep; mv store deep; export PLY_ROOT=$PWD/deep/store
      no nothing mnt; no work missing; no work file; no work /; no work deep/store/in; no work deep
      no work mnt --uidmap 0:1; no work
      ply mount work mnt --via fuse -q; no work other --via fuse; no image:1 mnt; ply umount work`,
    )
    expect(
      said,
    ).toBe(`ply: no image named nothing:latest in ./deep/store; list them with: ply images (PLY_IMAGE_NOT_FOUND)
exit 3
ply: nothing can be mounted on ./missing: there is no such directory; make it first: mkdir -p ./missing (PLY_MOUNT_TARGET)
exit 3
ply: nothing can be mounted on ./file: it is no directory; name one (PLY_MOUNT_TARGET)
exit 3
ply: / is where everything lies; mount elsewhere (PLY_USAGE)
exit 2
ply: ./deep/store/in lies in the store ./deep/store; mount elsewhere (PLY_USAGE)
exit 2
ply: the store ./deep/store lies in ./deep, and the mount would hide it; mount elsewhere (PLY_USAGE)
exit 2
ply: “0:1” is no range of owners; write FROM:TO:COUNT (PLY_USAGE)
exit 2
ply: missing: DIR, or -- COMMAND (PLY_USAGE)
exit 2
./mnt
ply: container work is mounted at ./mnt; unmount it first: ply umount ./mnt (PLY_CONTAINER_BUSY)
     see who has it with: ply ps
exit 6
ply: ./mnt is a mount of ply already; unmount it first: ply umount ./mnt (PLY_MOUNT_EXISTS)
exit 6
./mnt
`)
  })

  able('answers for its container: snapshots, clones, changes and commits are of what is there', () => {
    const said = runs(
      'root',
      `ply mount work mnt --via fuse -q; echo one > mnt/etc/one; exec 3>> mnt/etc/open; echo a >&3
      ply snapshot work first; echo two > mnt/etc/two; echo b >&3
      ply clone work twin; echo three > mnt/etc/three; echo c >&3
      ply changes work --since first; ply commit work image:2 > id; cat mnt/etc/open; exec 3>&-
      "$NODE" -p 'const read = (path) => JSON.parse(require("fs").readFileSync("store/" + path)); const [file] = require("fs").readdirSync("store/mounts")
        read("mounts/" + file).upper === read("containers/work/record.json").upper'
      ply rollback work first || echo "exit $?"
      for tree in container:work@first container:twin image:2; do echo $(ply ls $tree /etc); done
      ply umount work; ply rollback work first; ply ls container:work /etc; (ply fsck 2>&1) | sed 's/.*: //'`,
    )
    expect(said).toBe(`./mnt
work@first
twin
C /etc/open
A /etc/three
A /etc/two
a
b
c
true
ply: container work is mounted at ./mnt; unmount it first: ply umount ./mnt (PLY_CONTAINER_BUSY)
     see who has it with: ply ps
exit 6
issue one open other
issue one open other two
issue one open other three two
./mnt
work@first
issue
one
open
other
0 damaged, 0 drifted, 0 cosmetic
`)
  })
})

able('an image shows the same by each way, with and without root', () => {
  const entries = `(cd mnt && find . -printf '%P %y %m %U:%G %n %T@ %l\\n' -type f -exec md5sum {} + | sort)`
  const ways = [
    ['root', `ply mount image:1 mnt --via kernel -q > said; ${entries}`],
    ['root', `ply mount image:1 mnt --via fuse -q > said; ${entries}`],
    ['user', `ply mount image:1 mnt --via fuse -q > said; ${entries}`],
    ['user', `ply mount image:1 mnt -- bash -c "${entries}"`],
  ] as const
  // So many users that all owners show in a namespace, too.
  const before = `for file in /etc/subuid /etc/subgid; do
    echo nobody:100000:65536 > "$WORK$file"; mount --bind "$WORK$file" $file; done`
  const [kernel, ...others] = ways.map(([as, script]) => runs(as, script, { before: `mkdir "$WORK/etc"; ${before}` }))
  expect(kernel).toMatch(/^ d 755 0:0/m)
  expect(kernel!.split('\n').length).toBeGreaterThan(10)
  for (const other of others) expect(other).toBe(kernel)
})

for (const as of ['root', 'user'] as const)
  able(`is unmounted by name where a directory above it was renamed (${as})`, () => {
    const said = runs(
      as,
      `mkdir -p deep/mnt; ply mount work deep/mnt --via fuse -q --uidmap 0:$(id -u):1 --gidmap 0:$(id -g):1; echo x > deep/mnt/tmp/x; mv deep deeper
      ${listed}; ply changes work; ply umount work; ls deeper/mnt; eventually '[ -z "$(servers)" ]'; ${listed}`,
    )
    expect(said).toBe('./deep/mnt\nwork ./deeper/mnt,fuse,live,rw\nA /tmp/x\n./deeper/mnt\nwork\n')
  })

describe('a server that is killed', () => {
  able('leaves a dead mount, which is known as such and goes with the next command, and what was synced', () => {
    const said = runs(
      'root',
      `ply mount work mnt --via fuse -q; echo synced > mnt/etc/synced; sync mnt/etc/synced
      (while :; do date > mnt/etc/date; done 2> /dev/null) & writer=$!; sleep 0.2; ${killed}; kill $writer 2> /dev/null || true
      ${listed}; ls mnt 2> /dev/null || echo dead; ply mount work mnt/etc || echo "exit $?"
      ply mount work mnt --via fuse -q; cat mnt/etc/synced; ${killed}
      ply umount mnt; ls mnt; ${listed}
      ply mount work mnt --via fuse -q; ${killed}; ply mount work other --via fuse -q; ply umount --all; ls mnt other`,
    )
    expect(said).toBe(`./mnt
work ./mnt,fuse,dead,rw
dead
ply: ./mnt is a mount that nobody serves any more; remove it: ply umount ./mnt (PLY_USAGE)
exit 2
./mnt
synced
./mnt
work
./mnt
./other
./other
./mnt
mnt:

other:
`)
  })

  able('takes its mount along, or leaves one that goes with the next command, where fusermount3 has made it', () => {
    const said = runs(
      'user',
      `ply mount work mnt --via fuse -q; ${killed}; ply mount work mnt --via fuse -q; cat mnt/etc/issue; ${killed}
      ply umount mnt > /dev/null 2>&1 || true; ply ps --json | grep -c state || true; ls mnt`,
    )
    expect(said).toBe('./mnt\n./mnt\nan image\n0\n')
  })
})

describe('the end of a mount', () => {
  able('comes in the foreground with a signal, at once or when the last one has left', () => {
    const said = runs(
      'root',
      `started() { rm -f out; "$NODE" "$BIN" mount work mnt --via fuse --foreground -q > out 2>&1 & pid=$!; eventually 'mounted $PWD/mnt && test -s out'; }
      for signal in INT TERM HUP; do
        started; echo x > mnt/etc/$signal; kill -$signal $pid; wait $pid && echo $signal; ls mnt
      done
      ply ls container:work /etc
      for via in kernel extract; do
        for end in 'kill -HUP $pid' 'ply umount mnt -q'; do
          rm out; "$NODE" "$BIN" mount work mnt --via $via --foreground -q > out & pid=$!; eventually 'test -s out'
          eval "$end" > out2; wait $pid && echo "$end"; ls mnt
        done
      done
      started; ${occupied}; kill -TERM $pid; eventually '! mounted $PWD/mnt'; ls /proc/$user/cwd/etc/issue; kill $user; wait $pid && echo left
      started; ${occupied}; kill -TERM $pid; eventually '! mounted $PWD/mnt'; kill -TERM $pid; wait $pid || true
      ls /proc/$user/cwd/etc/issue || echo cut off; kill $user; ply rm work`,
    )
    expect(said.replaceAll(/\/proc\/\d+/g, '')).toBe(`INT
TERM
HUP
HUP
INT
TERM
issue
other
kill -HUP $pid
ply umount mnt -q
kill -HUP $pid
ply umount mnt -q
/cwd/etc/issue
left
ls: cannot access '/cwd/etc/issue': Transport endpoint is not connected
cut off
work
`)
  })

  able('comes with that of the terminal, whoever of its foreground hears of it, and however often (user)', () => {
    const said = runs(
      'user',
      `rm -f out; setsid "$NODE" "$BIN" mount work mnt --via fuse --foreground -q > out 2>&1 & pid=$!
      eventually 'test -s out'; kill -HUP -$pid; sleep 0.1; kill -HUP -$pid 2> /dev/null || true; wait $pid || true
      eventually '! mounted $PWD/mnt'; cat out; ls mnt
      ply mount work /usr --via fuse || echo "exit $?"`,
    )
    expect(said).toBe(
      './mnt\nply: nothing can be mounted on /usr: fusermount3 mounts only where this user may write; name a directory of your own (PLY_MOUNT_TARGET)\nexit 3\n',
    )
  })

  able('waits for nobody who is told who is in the way', () => {
    const said = runs(
      'root',
      `ply mount work mnt --via fuse -q; ply mount image:1 other --via fuse -q; ${occupied}
      (ply umount mnt 2>&1 || echo "exit $?") | sed "s/$user/PID/"; mounted $PWD/mnt
      ply umount work --detach; mounted $PWD/mnt || echo away; cat /proc/$user/cwd/etc/issue; kill $user
      eventually 'ply mount work mnt --via fuse -q 2> /dev/null'; ${occupied}
      ply umount --force mnt; cat /proc/$user/cwd/etc/issue 2> /dev/null || echo cut off; kill $user
      ply umount nothing || echo "exit $?"; ply umount || echo "exit $?"
      ln -s mnt link; ply mount work link --via fuse -q; ply umount link image:1; ply umount -a; eventually '[ -z "$(servers)" ]'; ls store/mounts`,
    )
    expect(said).toBe(`./mnt
./other
ply: ./mnt is in use by sleep (PID); unmount it once they have left, or take it away from under them: ply umount --detach ./mnt (PLY_MOUNT_BUSY)
exit 6
./mnt
away
an image
./mnt
./mnt
cut off
ply: nothing of this store is mounted as nothing; see what is with: ply ps (PLY_MOUNT_NOT_FOUND)
exit 3
ply: missing: MOUNTS, or --all (PLY_USAGE)
exit 2
./mnt
./mnt
./other
`)
  })

  able('is clean whenever a signal comes', () => {
    const seed = Math.floor(Math.random() * 30_000)
    const said = runs(
      'root',
      `RANDOM=${seed}; mkdir tmp; export TMPDIR=$PWD/tmp; touch tmp/alone
      for how in 'mnt --foreground' 'mnt' '-- sleep 50' 'mnt' '-- sleep 50' 'mnt --foreground'; do
        signals=(TERM HUP INT); signal=\${signals[$((RANDOM % 3))]}; ms=$((RANDOM % 1200))
        setsid env --default-signal=INT "$NODE" "$BIN" mount work --via fuse -q $how > out 2>&1 & pid=$!
        # A terminal's Ctrl-C goes to everybody in front of it.
        case $signal in INT) whom=-$pid ;; *) whom=$pid ;; esac
        sleep $(printf '%d.%03d' $((ms / 1000)) $((ms % 1000))); kill -$signal -- $whom 2> /dev/null || true
        status=0; wait $pid || status=$?
        case $status in 0 | 129 | 130 | 143) ;; *) echo "$how: $status"; cat out ;; esac
        # It was done before the signal came.
        [ "$how $status" != 'mnt 0' ] || { kill -HUP $(servers); mounted $PWD/mnt; kill -TERM $(servers); }
        eventually '! mounted $PWD/mnt && [ -z "$(servers)" ] && ! pgrep -f "[c]ommand-in-mount"'
        ply ls work:/ > /dev/null; echo x | ply cp -q - work:/etc/x
      done
      ${listed}; ply fsck > /dev/null 2>&1; ls -d tmp/*`,
    )
    expect(said, `seed ${seed}`).toBe('work\ntmp/alone\n')
  })
})

for (const as of ['root', 'user'] as const)
  able(`who mounts is killed at any moment: nothing stays that ply umount does not remove (${as})`, () => {
    const seed = Math.floor(Math.random() * 30_000)
    const said = runs(
      as,
      `RANDOM=${seed}; mkdir tmp; export TMPDIR=$PWD/tmp; touch tmp/alone
      for how in ${as === 'root' ? "'mnt --via kernel'" : ''} 'mnt --via fuse' 'mnt --via extract' '-- sleep 50'; do
        ms=$((RANDOM % 1200)); "$NODE" "$BIN" mount work -q $how > out 2>&1 & pid=$!
        sleep $(printf '%d.%03d' $((ms / 1000)) $((ms % 1000))); kill -KILL $pid 2> /dev/null || true; wait $pid || true
        eventually '! pgrep -f "[c]ommand-in-mount" > /dev/null'; sleep 0.2
        ply umount --all -q > /dev/null; eventually '! mounted $PWD/mnt && [ -z "$(servers)" ]'
        # A copy that was whole and not recorded yet.
        rm -rf mnt; mkdir mnt
        echo x | ply cp - work:/etc/x
      done
      ply mount work mnt --via extract -q; ply umount mnt
      ${listed}; ply fsck > /dev/null 2>&1; ls -d tmp/* .ply-extract-* 2> /dev/null || true`,
    )
    expect(said, `seed ${seed}`).toBe('./mnt\n./mnt\nwork\ntmp/alone\n')
  })

for (const [whom, kill, then] of [
  ['who mounts is killed while fusermount3 is at work: nothing stays', 'kill -KILL $pid', 'ls mnt'],
  [
    'who serves is killed while fusermount3 is at work: what stays goes by name',
    'kill -KILL $(servers)',
    'ply umount mnt > /dev/null',
  ],
] as const)
  able(whom, () => {
    const said = runs(
      'user',
      `PATH=/mnt:$PATH "$NODE" "$BIN" mount work mnt --via fuse -q > out 2>&1 & pid=$!
      eventually 'pgrep -x fusermount3 > /dev/null'; ${kill}; wait $pid || true
      eventually '! pgrep -x fusermount3 > /dev/null'; ${then}; ! mounted $PWD/mnt; [ -z "$(servers)" ]
      ply mount work mnt --via fuse -q; ply umount mnt`,
      {
        // One that takes its time, and looks like root's.
        before: `mount -t tmpfs none /mnt; printf '#!/bin/sh\\nsleep 1\\nexec %s "$@"\\n' $(command -v fusermount3) > /mnt/fusermount3; chmod 4755 /mnt/fusermount3`,
      },
    )
    expect(said).toBe('./mnt\n./mnt\n')
  })

describe('a mount for a command', () => {
  for (const as of ['root', 'user'] as const) {
    able(`is there for that command alone, which the exit code is of (${as})`, () => {
      const said = runs(
        as,
        `echo read | ply mount work -- sh -c 'cat; cat etc/issue; echo x > etc/new; test "$PWD" = "$PLY_MOUNT"; exit 7' || echo $?
        ply mount work mnt -- sh -c 'ls mnt; pwd'; ls mnt
        ply mount work -- nosuchprogram || echo $?; ply mount work -- /etc/passwd || echo $?; ply mount work -- sh -c 'kill -9 $$' || echo $?
        ply mount image:1 -- sh -c 'echo x > etc/new' || echo $?
        ply mount nothing -- true || echo $?; ply mount image:1 --bad -- true || echo $?
        ply mount work -- sh -c 'trap "echo usr1; exit 5" USR1; : > $WORK/ready; while :; do sleep 0.1; done' &
        eventually 'test -e ready' && kill -USR1 $(pgrep -f "^$NODE $BIN"); wait $! || echo $?
        run() { "$NODE" "$BIN" mount work -- sleep $1 & pid=$!; eventually "pgrep -f '^sleep $1' > /dev/null"; }
        run 111; kill -TERM $pid; wait $pid || echo $?; run 112; kill -9 $pid; wait $pid || echo $?
        eventually '! pgrep -f "^sleep 112" > /dev/null && ! pgrep -f "[c]ommand-in-mount" > /dev/null'
        run 113; kill -9 $(pgrep -f "[c]ommand-in-mount" | tail -1); wait $pid || echo $?; eventually '! pgrep -f "^sleep 113" > /dev/null'
        ply mount work -- sh -c 'sleep 114 > /dev/null 2>&1 & echo left > etc/left' 2>&1 | sed 's/[0-9]*)/PID)/'
        ply changes work; ${listed}`,
      )
      expect(said).toBe(`read
an image
7
bin
etc
tmp
.
ply: nosuchprogram: no such program
127
ply: /etc/passwd: cannot be started
126
137
sh: 1: cannot create etc/new: Read-only file system
2
ply: no image named nothing:latest in ./store; list them with: ply images (PLY_IMAGE_NOT_FOUND)
125
ply: unknown flag: --bad (PLY_USAGE)
     see: ply mount --help
125
usr1
5
143
137
ply: the process that serves the mount has ended (SIGKILL); what was synced is in the container: mount it again (PLY_SERVER_ENDED)
125
ended what the command has left running: sleep (PID)
A /etc/left
A /etc/new
work
`)
    })
  }
})

describe('a machine that does not play along', () => {
  able('has what to do told where the device is closed, and other ways', () => {
    const said = runs(
      'closed',
      `ply mount work mnt --via fuse || echo "exit $?"; ply mount work --via fuse -- true || echo "exit $?"
      ply mount work mnt -q; cat mnt/etc/issue; ply umount mnt`,
    )
    expect(
      said.replaceAll(/^(ply: .*) is not supported: /gm, '$1: '),
    ).toBe(`ply: --via fuse here: /dev/fuse is closed to this user; as root: chmod 0666 /dev/fuse (PLY_UNSUPPORTED)
exit 5
ply: --via fuse here: /dev/fuse is closed to this user; as root: chmod 0666 /dev/fuse (PLY_UNSUPPORTED)
exit 125
./mnt
an image
./mnt
`)
  })

  for (const as of ['root', 'user'] as const) {
    able(`has no room left: nothing that was synced is lost, and there is room again after removing (${as})`, () => {
      const said = runs(
        as,
        `ply mount work mnt --via fuse -q --uidmap 0:$(id -u):1 --gidmap 0:$(id -g):1; echo kept > mnt/etc/kept; sync mnt/etc/kept
        cat /dev/zero > mnt/etc/big || echo full; cat mnt/etc/kept; rm mnt/etc/big; echo again > mnt/etc/again; cat mnt/etc/again
        ply umount mnt; ply changes work; (ply fsck 2>&1) | sed 's/.*: //'`,
        { before: 'mount -t tmpfs -o size=8m none "$WORK"; mkdir "$WORK/mnt" "$WORK/other"' },
      )
      expect(said).toBe(`./mnt
cat: write error: No space left on device
full
kept
again
./mnt
A /etc/again
A /etc/kept
0 damaged, 0 drifted, 0 cosmetic
`)
    })
  }

  able('has several mount one container at once: one of them does, the others are told where it is', () => {
    const said = runs(
      'root',
      `for i in 1 2 3; do mkdir at$i; ply mount work at$i --via fuse -q > said$i 2>&1 && echo mounted > end$i || echo "exit $?" > end$i & done; wait
      cat end? | sort; cat said? | grep -c PLY_CONTAINER_BUSY; servers | wc -l; ply umount work > /dev/null; ls store/mounts`,
    )
    expect(said).toBe('exit 6\nexit 6\nmounted\n2\n1\n')
  })

  able('has its store on an overlay mount: the kernel shows images, FUSE containers, and why is said', () => {
    const said = runs(
      'root',
      `mkdir l u w o; mv store l; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w x o; export PLY_ROOT=$PWD/o/store
      ply mount image:1 mnt --via kernel -q; cat mnt/etc/issue; ply umount mnt
      ply create image:1 --name more; (ply mount more mnt --via kernel 2>&1 || echo "exit $?")
      ply mount more mnt -q; echo x > mnt/etc/new; mv mnt/etc mnt/moved; rm mnt/bin/tool; ${listed}; ply umount mnt
      ply mount more mnt -q; ls mnt mnt/moved; ply umount mnt; ply changes more; (ply fsck 2>&1) | sed 's/.*: //'`,
    )
    expect(said).toBe(`./mnt
an image
./mnt
more
ply: --via kernel here is not supported: container more is in the portable form, which the kernel does not know; the store lies on overlayfs (PLY_UNSUPPORTED)
exit 5
./mnt
more ./mnt,fuse,live,rw
work
./mnt
./mnt
mnt:
bin
moved
tmp

mnt/moved:
issue
new
other
./mnt
D /etc
D /bin/tool
A /moved
A /moved/issue
A /moved/new
A /moved/other
0 damaged, 0 drifted, 0 cosmetic
`)
  })

  able('has no descriptors left: who opens is told, and the mount stays', () => {
    const said = runs(
      'root',
      `(ulimit -n 60; ply mount work mnt --via fuse -q)
      "$NODE" -e '
        const { openSync } = require("fs")
        try { for (let i = 0; i < 100; i++) openSync("mnt/etc/f" + i, "w") } catch ({ code }) { console.log(code) }'
      cat mnt/etc/issue; echo x > mnt/etc/after; cat mnt/etc/after; ply umount mnt
      (ulimit -n 20; ply mount work mnt --via fuse 2>&1 | head -1 | cut -d, -f1) || true; servers; mounted $PWD/mnt || echo nothing`,
    )
    expect(said).toBe('./mnt\nEMFILE\nan image\nx\n./mnt\nply: EMFILE: too many open files\nnothing\n')
  })

  able('has lost what a layer holds: reading it fails, everything else goes on', () => {
    const said = runs(
      'root',
      `ply mount work mnt --via fuse -q; rm -f store/cache/layers/*.tar store/blobs/sha256/*
      ls mnt/etc; cat mnt/bin/tool > /dev/null || echo "exit $?"; echo x > mnt/etc/new; cat mnt/etc/new; ply umount mnt`,
    )
    expect(said).toMatch(/^\.\/mnt\nissue\nother\ncat: mnt\/bin\/tool: .*\nexit 1\nx\n\.\/mnt\n$/)
  })

  for (const as of ['root', 'user'] as const)
    able(`is read to its end whatever a collection takes, of an image and of a container (${as})`, () => {
      const said = runs(
        as,
        `ply copy image:1 zipped --compress gzip -q > /dev/null 2>&1
        ply mount zipped mnt --via fuse -q
        ply mount work other --via fuse -q --uidmap 0:$(id -u):1 --gidmap 0:$(id -g):1
        ply rmi zipped image:1 -q > /dev/null; ply gc --caches 0 -q > /dev/null 2>&1
        cat mnt/etc/issue mnt/etc/other other/etc/issue; wc -c < mnt/bin/tool; wc -c < other/bin/tool
        echo x >> other/etc/other; cat other/etc/other
        ply umount mnt; ply umount other; ply rm work -q > /dev/null; ply gc -q > /dev/null 2>&1
        ls store/cache/layers store/cache/trees store/blobs/sha256`,
      )
      expect(said).toBe(`./mnt
./other
an image
more
an image
5000
5000
more
x
./mnt
./other
store/blobs/sha256:

store/cache/layers:

store/cache/trees:
`)
    })
})
