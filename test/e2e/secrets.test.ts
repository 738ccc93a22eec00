import { spawnSync } from 'node:child_process'
import { expect, vi } from 'vitest'
import { testIf } from '../support/ability.ts'
import { Mounting, whyNoMounts } from './mounting.ts'

vi.setConfig({ testTimeout: 180_000 })

const reason = whyNoMounts() ?? (spawnSync('runc', ['--version']).error ? 'there is no runc' : undefined)
const able = testIf(reason === undefined, reason ?? '')
const mounting = Mounting.forFile()

/** Looks for words in every byte of files and names below directories, as they are, in other spellings and in what is compressed. */
const search = `
import { readdirSync, readFileSync, lstatSync, readlinkSync } from 'node:fs'
import { gunzipSync, brotliDecompressSync } from 'node:zlib'
const [words, ...places] = process.argv.slice(2)
const forms = words.split(',').flatMap((word) => {
  const bytes = Buffer.from(word)
  // Of base64 what does not depend on where in a text it stands.
  const coded = [0, 1, 2].map((at) => Buffer.concat([Buffer.alloc(at), bytes]).toString('base64').slice(at + 2, -4))
  return [word, bytes.toString('hex'), encodeURIComponent(word), [...word].reverse().join(''), ...coded].map((form) => [word, Buffer.from(form)])
})
let files = 0, found = 0
function inBytes(bytes, where) {
  for (const [word, form] of forms) if (bytes.includes(form)) { found++; console.log('FOUND ' + word + ' in ' + where) }
  for (let at = bytes.indexOf('1f8b08', 0, 'hex'); at >= 0 && at < bytes.length; at = bytes.indexOf('1f8b08', at + 1, 'hex')) {
    let plain
    try { plain = gunzipSync(bytes.subarray(at), { finishFlush: 2 }) } catch { continue }
    inBytes(plain, where + ' (gzip)')
  }
}
function walk(path) {
  const stat = lstatSync(path)
  inBytes(Buffer.from(path), 'the name ' + path)
  if (stat.isDirectory()) for (const name of readdirSync(path)) walk(path + '/' + name)
  else if (stat.isSymbolicLink()) inBytes(Buffer.from(readlinkSync(path)), path)
  else if (stat.isFile()) { files++; inBytes(readFileSync(path), path) }
}
for (const place of places) walk(place)
console.log(files > 20 ? 'searched' : 'searched ' + files + ' files only', found)
`

/** An image of a shell; what the secrets are; and a socket that somebody listens on. */
const setUp = `
mkdir -p app/bin app/etc tmp context out; export TMPDIR=$PWD/tmp
for program in sh cat wc env; do
  path=$(command -v $program); cp -L "$path" app/bin/$program
  for library in $(ldd "$path" | grep -o '/[^ ]*'); do mkdir -p "app$(dirname $library)"; cp -L $library app$library; done
done
printf 'FROM scratch\\nCOPY . /\\nWORKDIR /w\\n' > Dockerfile
ply build -q -t shell app -f Dockerfile > /dev/null
printf %s file-c0ffee-verysecret > key; export TOKEN=env-c0ffee-verysecret
cat > search.mjs <<'END'
${search}
END
"$NODE" -e 'require("net").createServer().listen("agent-c0ffee.sock")' & agent=$!
eventually '[ -S agent-c0ffee.sock ]'
words=file-c0ffee-verysecret,env-c0ffee-verysecret,agent-c0ffee.sock,argument-c0ffee-verysecret
look() { "$NODE" search.mjs "$words" store out tmp logs; }
mkdir logs
build() { ply build --secret id=key,src=key --secret id=token,env=TOKEN --ssh default=$PWD/agent-c0ffee.sock --build-arg PASSWORD=argument-c0ffee-verysecret "$@"; }
`

const used = `
cat > Dockerfile <<'END'
FROM shell AS made
ARG PASSWORD
RUN --mount=type=secret,id=key wc -c < /run/secrets/key > length
RUN --mount=type=secret,id=token,env=TOKEN test "$TOKEN" = env-c0ffee-very"secret"
RUN --mount=type=secret,id=key,target=/etc/key,mode=0444 --mount=type=secret,id=token,env=T test -s /etc/key && echo both > both
RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo agent > agent
RUN test "$PASSWORD" = argument-c0ffee-very"secret" && echo $PASSWORD | wc -c > password
RUN --mount=type=cache,target=/cache --mount=type=secret,id=key wc -c /run/secrets/key > /cache/length
FROM scratch
COPY --from=made /w /
END
`

for (const as of process.env.PLYFS_TABLE === 'all' ? (['root', 'user'] as const) : (['root'] as const)) {
  able(`no secret, agent or argument is in anything that a build leaves (${as})`, () => {
    const said = mounting().run(
      as,
      `${setUp}${used}
      build -t one --explain-cache --progress plain --metadata-file out/metadata --iidfile out/id \\
        -o type=oci,dest=out/oci.tar -o type=docker,dest=out/docker.tar -o type=tar,dest=out/tar -o out/local --cache-to type=local,dest=out/cache context -f Dockerfile > logs/plain 2>&1 || cat logs/plain
      build --json context -f Dockerfile > logs/json 2>&1
      build --target made -t made --check context -f Dockerfile > logs/check 2>&1 || true
      build --target made -t made context -f Dockerfile > logs/made 2>&1
      ply history --json one > logs/history; ply history made >> logs/history; ply inspect made > logs/inspect
      ply copy --compress gzip store:made oci:out/gzip > logs/copy 2>&1
      for file in length both agent password; do ply cat one /$file; done
      ls tmp; look; kill $agent`,
    )
    expect(said).toBe('22\nboth\nagent\n27\nsearched 0\n')
  })
}

able('a command that fails while it holds a secret leaves none, and nor does one that is stopped', () => {
  const said = mounting().run(
    'root',
    `${setUp}
    cat > Dockerfile <<'END'
FROM shell
ARG PASSWORD
RUN --mount=type=secret,id=key --mount=type=secret,id=token,env=TOKEN --mount=type=ssh cat /run/secrets/key > copied; echo $TOKEN $PASSWORD >> copied; echo in vain >&2; exit 3
END
    build --progress plain context -f Dockerfile > logs/plain 2>&1 || echo "exit $?"
    build --json context -f Dockerfile > logs/json 2>&1 || echo "exit $?"
    grep -c 'in vain' logs/plain; ls tmp; ply ps -q
    sed -i 's/exit 3/while :; do :; done/' Dockerfile
    "$NODE" "$BIN" build --secret id=key,src=key --secret id=token,env=TOKEN --build-arg PASSWORD=argument-c0ffee-verysecret context -f Dockerfile > logs/stopped 2>&1 & pid=$!
    eventually 'grep -q "in vain" logs/stopped'; kill -TERM $pid; wait $pid || echo "exit $?"
    ls tmp; ply ps -q; look; kill $agent`,
  )
  expect(said.replace(/grep: .*\n/g, '')).toMatch(
    /^exit 1\nexit 1\n[12]\nwork\nexit (?:143|1|130)\nwork\nsearched(?: \d+ files only)? 0\n$/,
  )
})
