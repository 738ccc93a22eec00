import { spawnSync } from 'node:child_process'
import { expect, vi } from 'vitest'
import { testIf } from '../support/ability.ts'
import { type As, Mounting, whyNoMounts } from './mounting.ts'

vi.setConfig({ testTimeout: 180_000 })

function whyNot(): string | undefined {
  const reason = whyNoMounts()
  if (reason !== undefined) return reason
  return spawnSync('runc', ['--version']).error ? 'there is no runc' : undefined
}

const reason = whyNot()
const able = testIf(reason === undefined, reason ?? '')
const mounting = Mounting.forFile()

/** An image of this machine's own shell and a few programs: built here and now. */
const shell = `
mkdir -p app/bin app/etc
programs="sh cat id ls touch sleep env mkdir rm stat"
for program in $programs; do
  path=$(command -v $program); cp -L "$path" app/bin/$program
  for library in $(ldd "$path" | grep -o '/[^ ]*'); do mkdir -p "app$(dirname $library)"; cp -L $library app$library; done
done
echo 'root:x:0:0::/root:/bin/sh
web:x:33:33::/www:/bin/sh' > app/etc/passwd
echo 'root:x:0:
web:x:33:' > app/etc/group
printf 'FROM scratch\\nCOPY . /\\nENV A=image\\nWORKDIR /work\\nENTRYPOINT ["/bin/sh", "-c"]\\nCMD ["echo by default"]\\n' > Dockerfile
ply build -q -f Dockerfile -t shell app > /dev/null
`
const runs = (as: As, script: string) => mounting().run(as, shell + script)

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

able('a signal reaches the command, and nothing stays behind', () => {
  const said = runs(
    'root',
    `"$NODE" "$BIN" run --rm shell 'trap "echo asked; exit 3" TERM; echo ready; while :; do sleep 0.1; done' > out & pid=$!
    eventually 'grep -q ready out'
    kill -TERM $pid; wait $pid || echo exit $?
    cat out; ply ps -q; mounted "$PWD" || echo nothing mounted`,
  )
  expect(said).toBe('exit 3\nready\nasked\nwork\nnothing mounted\n')
})

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
changed: its variables)
changed: what it stands on, its variables)
changed: what it stands on, its variables)
changed: what it stands on, its variables)
changed: what it stands on, its variables)
changed: the files that it copies)
work
0
no secret
`)
  })
}

able('a build gives one digest, whoever builds it, and whenever', () => {
  const digests = (['root', 'closed'] as const).map((as) =>
    runs(
      as,
      `${recipe.replace('type=cache', 'type=tmpfs')} build --no-cache > one; build --no-cache | cmp - one; ply ls -R -l rootfs:context > /dev/null; cat one`,
    ),
  )
  expect(digests[0]).toMatch(/^sha256:[0-9a-f]{64}\n$/)
  expect(digests[1]).toBe(digests[0])
})

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
    ply ps -q; ply fsck -q && echo whole`,
  )
  expect(said).toBe('left\nwork\n1\nwork\nwhole\n')
})
