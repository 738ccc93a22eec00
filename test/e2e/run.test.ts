import { execFileSync, spawnSync } from 'node:child_process'
import { beforeAll, expect, vi } from 'vitest'
import { build, contextTree } from '../../src/index.ts'
import { testIf } from '../support/ability.ts'
import { type As, Mounting, whyNoMounts } from './mounting.ts'
import { workspace } from './workspace.ts'

vi.setConfig({ testTimeout: 180_000 })

function whyNot(): string | undefined {
  const reason = whyNoMounts()
  if (reason !== undefined) return reason
  return spawnSync('runc', ['--version']).error ? 'there is no runc' : undefined
}

const reason = whyNot()
const able = testIf(reason === undefined, reason ?? '')
// What is asked here does not change with the power being lost.
const mounting = Mounting.forFile({ durable: false })

/** An image of this machine's own shell and a few programs. */
const shell = `
programs="sh cat id ls touch sleep env mkdir rm stat stty"
mkdir -p bin etc
for program in $programs; do
  path=$(command -v $program); cp -L "$path" bin/$program
  for library in $(ldd "$path" | grep -o '/[^ ]*'); do mkdir -p ".$(dirname $library)"; cp -L $library .$library; done
done
echo 'root:x:0:0::/root:/bin/sh
web:x:33:33::/www:/bin/sh' > etc/passwd
echo 'root:x:0:
web:x:33:' > etc/group
`
const dockerfile =
  'FROM scratch\nCOPY . /\nENV A=image\nWORKDIR /work\nENTRYPOINT ["/bin/sh", "-c"]\nCMD ["echo by default"]\n'

beforeAll(async () => {
  if (reason !== undefined) return
  await using work = workspace()
  execFileSync('bash', ['-euc', shell], { cwd: work.path })
  await mounting().fill(async (store) => {
    const context = contextTree(work.path)
    await store.write(await build(store, { context, dockerfile }), 'shell:latest')
    context.close()
  })
}, 120_000)

const runs = (as: As, script: string) => mounting().run(as, script)

/** Says how it ended, where it was not well. */
const asked = `
run() { ply run --rm "$@" 2> said && status=0 || status=$?; grep -v 'of root is what\\|copy in a directory' said || true; [ $status = 0 ] || echo "exit $status"; }
`

const ordinary = `${asked}
run shell
run -e B=flag shell 'echo $A $B $HOME; pwd; id -u'
run -w /etc shell 'ls'
run --entrypoint /bin/cat shell /etc/group
run shell 'exit 7'
run shell nothing; run --entrypoint /nothing shell; run --entrypoint /etc/passwd shell
echo from stdin | run --entrypoint /bin/cat shell
echo host > file; run -v $PWD/file:/mnt/file:ro shell 'cat /mnt/file; touch /mnt/file || echo read-only'
run --network none shell 'cat /proc/net/dev' | grep -c ':'
run --read-only shell 'touch /x || echo read-only'
run --tmpfs /scratch shell 'touch /scratch/x && ls /scratch'
run -h name shell 'cat /proc/sys/kernel/hostname'
ply ps -q
`

able('a command runs in a container of an image, which is gone with it', () => {
  const said = runs('root', ordinary).replaceAll(/^runc run failed.*\n/gm, '')
  expect(said).toBe(`by default
image flag /root
/work
0
group
hosts
passwd
resolv.conf
root:x:0:
web:x:33:
exit 7
/bin/sh: 1: nothing: not found
exit 127
ply: /nothing: no such program in the container
exit 127
ply: /etc/passwd: cannot be started
exit 126
from stdin
host
read-only
touch: cannot touch '/mnt/file': Read-only file system
1
read-only
touch: cannot touch '/x': Read-only file system
x
name
work
`)
})

for (const as of ['user', 'closed'] as const) {
  able(`a command runs in a container of an image without root (${as})`, () => {
    const said = runs(
      as,
      `${asked}
      run -e B=flag --tmpfs /scratch shell 'echo $A $B $HOME; pwd; id -u; touch /scratch/x; exit 7'
      echo host > file; run -v $PWD/file:/mnt/file:ro --network none shell 'cat /mnt/file; touch /mnt/file || echo read-only'
      run --entrypoint /nothing shell; ply ps -q`,
    ).replaceAll(/^runc run failed.*\n/gm, '')
    expect(said).toBe(`image flag /root
/work
0
exit 7
host
read-only
touch: cannot touch '/mnt/file': Read-only file system
ply: /nothing: no such program in the container
exit 127
work
`)
  })
}

for (const as of ['root', 'user', 'closed'] as const) {
  able(`what a command writes is in its container, and nothing of the runtime is (${as})`, () => {
    const said = runs(
      as,
      `ply run --name box shell 'mkdir /new; echo 1 > /new/f; rm /etc/group; touch /etc/passwd' 2> /dev/null
      ply changes box; ply run box 'cat /new/f'; ply commit box made -q > /dev/null; ply run --rm made 'ls /new'`,
    )
    expect(said).toBe('D /etc/group\nC /etc/passwd\nA /new\nA /new/f\n1\nf\n')
  })
}

able('a command runs as whom it is told to, where there is such a user', () => {
  expect(
    runs('root', `ply run --rm -u web shell 'id -u; id -g; echo $HOME; touch /etc/x 2> /dev/null || echo no'`),
  ).toBe('33\n33\n/www\nno\n')
  expect(runs('root', 'ply run --rm -u nobody shell true || echo exit $?')).toContain(
    'the container knows no user nobody',
  )
  expect(runs('closed', 'ply run --rm -u web shell true || echo exit $?')).toContain(
    'this user has root alone in a namespace',
  )
})

able('signals reach the command, what ends it is told, and nothing stays behind', () => {
  const said = runs(
    'root',
    `"$NODE" "$BIN" run --rm shell 'for s in INT HUP QUIT USR1 USR2; do trap "echo $s" $s; done; trap "echo TERM; exit 3" TERM; echo ready; while :; do sleep 0.1; done' > out & pid=$!
    eventually 'grep -q ready out'
    for signal in INT HUP QUIT USR1 USR2 TERM; do kill -$signal $pid; eventually "grep -q $signal out"; done
    wait $pid || echo exit $?
    cat out; ply ps -q; mounted "$PWD" || echo nothing mounted
    for runtime in runc bwrap; do
      "$NODE" "$BIN" run --rm --runtime $runtime shell 'echo ready; exec sleep 321' > out & pid=$!
      eventually 'grep -q ready out && pgrep -fx "sleep 321" > /dev/null'
      kill -9 $(pgrep -fx 'sleep 321'); wait $pid || echo exit $?
    done`,
  )
  expect(said).toBe('exit 3\nready\nINT\nHUP\nQUIT\nUSR1\nUSR2\nTERM\nwork\nnothing mounted\nexit 137\nexit 137\n')
})

const noBubblewrap = spawnSync('bwrap', ['--version']).error ? 'there is no bwrap' : undefined
const noTmux = spawnSync('tmux', ['-V']).error ? 'there is no tmux' : undefined

testIf(reason === undefined && noTmux === undefined, reason ?? noTmux ?? '')(
  'a terminal is handed to the command: its size, its keys, and it is as it was afterwards',
  () => {
    const said = runs(
      'root',
      `export TMPDIR=$PWD; mkdir out; tmux() { command tmux -f /dev/null -S "$PWD/socket" "$@"; }
      tmux new-session -d -x 90 -y 30 'bash --norc --noprofile'
      type() { tmux send-keys -l "$1"; tmux send-keys Enter; }
      type 'stty -g > before'; eventually '[ -s before ]'
      shell=$(tmux display -p '#{pane_pid}'); ended() { eventually '! pgrep -P $shell > /dev/null'; }
      for runtime in runc ${noBubblewrap === undefined ? 'bwrap' : ''}; do
        rm -f out/*; tmux resize-window -x 90 -y 30
        type "$NODE $BIN run --rm -it --runtime $runtime -v $PWD/out:/out shell 'sh -i; exit 5'"
        type 'stty size > /out/before'; eventually '[ -s out/before ]'; cat out/before
        tmux resize-window -x 100 -y 40
        type 'while [ "$(stty size)" != "40 100" ]; do sleep 0.1; done; echo resized > /out/after'; eventually '[ -s out/after ]'; cat out/after
        type 'sleep 400; echo $? > /out/interrupted'; eventually 'pgrep -fx "sleep 400" > /dev/null'
        tmux send-keys C-c; type 'echo $? > /out/interrupted'; eventually '[ -s out/interrupted ]'; cat out/interrupted
        type 'sleep 401'; eventually 'pgrep -fx "sleep 401" > /dev/null'
        tmux send-keys C-z; type 'echo stopped > /out/stopped; fg'; eventually '[ -s out/stopped ]'; cat out/stopped; tmux send-keys C-c
        type exit; ended; type 'echo $? > out/status; stty -g > out/settings'; eventually '[ -s out/settings ]'
        cat out/status; cmp before out/settings && echo as before
      done
      rm -f out/*; type '$NODE $BIN run --rm -it shell "echo > /work/x; exec sleep 402"'; eventually 'pgrep -fx "sleep 402" > /dev/null'
      kill -9 $(pgrep -f command-in-mount); ended; type 'echo $? > out/status; stty -g > out/settings'; eventually '[ -s out/settings ]'
      cat out/status; cmp before out/settings && echo as before
      tmux kill-server; ply ps -q; ply run --rm -t shell true < /dev/null > nothing 2>&1 || echo "exit $?"; grep -o 'ply has none' nothing`,
    )
    const session = '30 90\nresized\n130\nstopped\n5\nas before\n'
    expect(said).toBe(
      `${session}${noBubblewrap === undefined ? session : ''}125\nas before\nwork\nexit 125\nply has none\n`,
    )
  },
)

const withBubblewrap = testIf(reason === undefined && noBubblewrap === undefined, reason ?? noBubblewrap ?? '')

for (const as of ['root', 'user', 'closed'] as const) {
  withBubblewrap(`bubblewrap runs a command where no other runtime does (${as})`, () => {
    const said = runs(
      as,
      `${asked}
      run() { ply run --rm --runtime bwrap "$@" 2> said && status=0 || status=$?; [ $status = 0 ] || echo "exit $status"; }
      run -e B='a  b' --tmpfs /scratch:size=1m,mode=700 shell 'echo "$A $B $HOME"; pwd; id -u; touch /scratch/x; stat -c %a /scratch; cat /proc/sys/kernel/hostname | cut -c 1-4 2> /dev/null || true; ls /proc/self/fd; exit 7'
      echo host > file; run -v $PWD/file:/mnt/file:ro,z --network none shell 'cat /mnt/file; touch /mnt/file || echo read-only'
      run --read-only shell 'touch /x || echo read-only'
      run --cap-drop all shell 'rm /etc/passwd && echo gone; touch /dev/new || true; (echo x > /proc/sys/kernel/hostname) 2> /dev/null || echo closed'
      run --entrypoint /nothing shell; run --entrypoint /etc/passwd shell; run -u web shell 'true'; grep -o 'bwrap runs nobody but root' said || grep -o 'root alone' said
      printf 'FROM shell\\nSHELL ["/bin/sh", "-c"]\\nRUN --mount=type=tmpfs,target=/t echo $A > built\\n' > Dockerfile
      ply build -q --runtime bwrap -t built -f Dockerfile . > /dev/null; ply cat built /work/built; ply ls built; ply ps -q`,
    )
    expect(said.replace(/^runc .*\n/gm, '')).toBe(
      `image a  b /root
/work
0
700
0
1
2
3
exit 7
host
read-only
read-only
gone
closed
exit 127
exit 126
exit 125
${as === 'root' ? 'bwrap runs nobody but root' : 'root alone'}
image
bin
etc
lib
lib64
work
work
`,
    )
  })
}

for (const as of ['root', 'user', 'closed'] as const) {
  able(`a run that is killed at any moment leaves nothing that the next collection does not clear away (${as})`, () => {
    const said = runs(
      as,
      `mkdir tmp; export TMPDIR=$PWD/tmp
      for who in ply group inner early; do
        more=--rm; [ $who != group ] || more="--name box"
        setsid "$NODE" "$BIN" run $more shell 'echo kept > /kept; echo ready; sleep 500 & wait' > $who 2>&1 & echo $! > $who.pid
      done
      eventually 'ls tmp | grep -q ply-run'; eventually 'kill -9 -$(cat early.pid) 2> /dev/null'
      for who in ply group inner; do eventually "grep -q ready $who"; done
      kill -9 $(cat ply.pid); kill -9 -$(cat group.pid); kill -9 $(pgrep -P $(cat inner.pid) -f command-in-mount)
      wait $(cat inner.pid) || echo "exit $?"
      eventually '! pgrep -fx "sleep 500" > /dev/null'
      groups=$(ls tmp)
      eventually 'ply gc -q > /dev/null; [ -z "$(ls tmp)$(ls store/locks | grep ^run- || true)" ]'
      ply ps -q; mounted "$PWD" || echo nothing mounted; for group in $groups; do ls -d /sys/fs/cgroup/*/$group 2> /dev/null || true; done
      ply run box 'cat /kept'; ply fsck -q > /dev/null && echo whole`,
    )
    expect(said).toBe('exit 125\nbox\nwork\nnothing mounted\nkept\nwhole\n')
  })
}

const recipe = `
mkdir context tmp; export TMPDIR=$PWD/tmp; echo context > context/file; echo topsecret > secret
cat > Dockerfile <<'END'
FROM shell AS made
SHELL ["/bin/sh", "-c"]
ARG V=1
ENV B=b
RUN echo "$V $B" > out && mkdir dir && touch -t 203001010000 dir/late
RUN --mount=type=bind,target=/ctx --mount=type=cache,target=/cache --mount=type=tmpfs,target=/scratch \\
    cat /ctx/file > copied; echo more >> /cache/n; cat /cache/n >> copied; touch /scratch/x
RUN --mount=type=secret,id=s cat /run/secrets/s > /dev/null && ls /run/secrets > secrets
RUN <<EOF
echo one > heredoc
echo two >> heredoc
EOF
RUN true
FROM scratch
COPY --from=made /work /
END
build() { ply build -f Dockerfile --secret id=s,src=secret "$@" context 2> said || { echo "exit $?"; cat said; }; }
`

for (const as of ['root', 'user'] as const) {
  able(`a build runs its commands, and takes from before what is the same (${as})`, () => {
    const said = runs(
      as,
      `${recipe}
      build -t one > digest; grep -c cached said || true
      for file in out copied secrets heredoc; do ply cat one /$file; done
      build | cmp - digest; grep -c 'RUN.*cached' said
      build --build-arg V=2 --explain-cache > /dev/null; grep -o 'changed: .*)' said
      ply ps -q; ls tmp | wc -l
      grep -rl topsecret store || echo no secret`,
    )
    expect(said).toBe(`0
1 b
context
more
s
one
two
5
changed: its variable V)
changed: what it stands on, its variable V)
changed: what it stands on, its variable V)
changed: what it stands on, its variable V)
changed: what it stands on, its variable V)
changed: the files that it copies: /copied /out)
work
0
no secret
`)
  })
}

able(
  'a build gives one digest, whoever builds it, whenever, wherever its files lie, whatever their times, and with any umask',
  () => {
    const digests = (['root', 'closed'] as const).map((as) =>
      runs(
        as,
        `${recipe.replace('type=cache', 'type=tmpfs')} build --no-cache > one
      mkdir -p else/where; cp -r context else/where/clone; find else/where/clone -exec touch -d 2031-05-06 {} +; rm -r context; ln -s else/where/clone context
      (umask 077; build --no-cache) | cmp - one; cat one`,
      ),
    )
    expect(digests[0]).toMatch(/^sha256:[0-9a-f]{64}\n$/)
    expect(digests[1]).toBe(digests[0])
  },
)

able('a command that fails ends the build, and is shown with what it said last', () => {
  const said = runs(
    'root',
    `printf 'FROM shell\nSHELL ["/bin/sh", "-c"]\nRUN echo it is broken >&2; exit 3\n' > Dockerfile; mkdir context
    ply build -f Dockerfile -q context || echo "exit $?"
    printf 'FROM shell\nRUN ["/nothing"]\n' > Dockerfile; ply build -f Dockerfile -q context || echo "exit $?"
    ply ps -q; ls store/builds | wc -l`,
  )
  expect(said).toMatch(/^ply: Dockerfile:3: RUN echo it.*: it ended with 3; it said: it is broken \(PLY_BUILD_FAILED\)/)
  expect(said).toMatch(/Dockerfile:2: RUN \["\/nothing"\]: there is no program \/nothing in the image/)
  expect(said.match(/exit 1/g)).toHaveLength(2)
  expect(said).toMatch(/\nwork\n2\n$/)
})

able('a build that was killed leaves nothing to the next one but what it had done', () => {
  const said = runs(
    'root',
    `mkdir context
    printf 'FROM shell\\nSHELL ["/bin/sh", "-c"]\\nRUN echo one > /one\\nRUN touch /two; echo ready; [ -e /fast ] || sleep 20\\n' > Dockerfile
    "$NODE" "$BIN" build -f Dockerfile context 2> out & pid=$!
    eventually 'grep -q ready out'; kill -9 $pid; wait $pid 2> /dev/null || true
    eventually '! pgrep -x sleep > /dev/null'
    ply ps -q | sed 's/build-.*/left/' | sort
    sed -i 's/sleep 20/true/' Dockerfile; ply build -f Dockerfile context 2>&1 > /dev/null | grep -c 'echo one.*cached'
    ply ps -q; ply fsck -q > /dev/null && echo whole`,
  )
  expect(said).toBe('left\nwork\n1\nwork\nwhole\n')
})
