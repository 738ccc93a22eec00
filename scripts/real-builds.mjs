// Builds the examples, and a Debian image with three packages, on bases made of Debian's packages: as root, as an ordinary user with users of
// his own (/etc/subuid, newuidmap), and as one without, who is told what he lacks. What was built is run by ply and by podman.
//
//   node scripts/real-builds.mjs [--dir DIRECTORY]     needs root, a network, mmdebstrap, podman, runc, uidmap and what `npm run build` has made
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { dir: { type: 'string', default: join(tmpdir(), 'ply-real-builds') } } })
const project = resolve(import.meta.dirname, '..')
const place = resolve(values.dir)
const ply = [process.execPath, join(project, 'bin/ply.js')]
let failures = 0

mkdirSync(place, { recursive: true })
chmodSync(place, 0o755)
const debian = base()
rmSync(join(place, 'examples'), { recursive: true, force: true })
cpSync(join(project, 'examples'), join(place, 'examples'), { recursive: true })
const node = nodeContext()
const tools = join(place, 'tools')
mkdirSync(tools, { recursive: true })
writeFileSync(
  join(tools, 'Dockerfile'),
  'FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends file jq less\nCMD ["cat", "/etc/os-release"]\n',
)

const users = [
  { name: 'root', ids: undefined },
  { name: 'an ordinary user with a range', ids: 'daemon:100000:65536\n' },
]
for (const user of users) builds(user)
withoutRange()
console.log(failures === 0 ? 'all of it works' : `${failures} do not`)
process.exit(failures === 0 ? 0 : 1)

/** A minimal Debian that can install packages, as a tar. */
function base() {
  const tar = join(place, 'debian.tar')
  if (existsSync(tar)) return tar
  const sources = execFileSync(
    'sh',
    ['-c', 'cat /etc/apt/sources.list.d/debian* /etc/apt/sources.list 2>/dev/null | grep -v "^#"'],
    { encoding: 'utf8' },
  )
  const proxies = spawnSync(
    'apt-config',
    ['dump', '--format', '%f "%v";%n', 'Acquire::http::Proxy', 'Acquire::https::Proxy'],
    {
      encoding: 'utf8',
    },
  ).stdout
  writeFileSync(join(place, 'proxies'), proxies)
  const options = [
    '--variant=minbase',
    '--quiet',
    '--aptopt=Acquire::Check-Valid-Until "false"',
    '--aptopt=Acquire::Check-Date "false"',
  ]
  const hooks = [`--customize-hook=copy-in ${join(place, 'proxies')} /etc/apt/apt.conf.d`]
  const hosts = ['/etc/ssl/certs', '/etc/apt/apt.conf.d/99proxy'].filter(
    (path) => existsSync(path) && path.endsWith('proxy'),
  )
  hooks.push(...hosts.map((path) => `--customize-hook=copy-in ${path} /etc/apt/apt.conf.d`))
  execFileSync('mmdebstrap', [...options, ...hooks, 'bookworm', `${tar}.new.tar`, '-'], {
    input: sources,
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  execFileSync('mv', [`${tar}.new.tar`, tar])
  return tar
}

/** This machine's Node on that Debian. */
function nodeContext() {
  const directory = join(place, 'node')
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  cpSync(process.execPath, join(directory, 'node'))
  const npm = [join(dirname(process.execPath), '../lib/node_modules/npm'), '/usr/share/nodejs/npm'].find((path) =>
    existsSync(path),
  )
  cpSync(npm, join(directory, 'npm'), { recursive: true, dereference: true })
  writeFileSync(
    join(directory, 'Dockerfile'),
    'FROM debian:12\nCOPY node /usr/local/bin/node\nCOPY npm /usr/local/lib/node_modules/npm\nRUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && npm --version\n',
  )
  return directory
}

function builds(user) {
  console.log(`── ${user.name}`)
  const store = join(place, user.ids === undefined ? 'store-root' : 'store-user')
  rmSync(store, { recursive: true, force: true })
  if (user.ids !== undefined) {
    mkdirSync(store)
    chownSync(store, 1, 1)
  }
  const as = (words, options) => runAs(user, store, [...ply, ...words], options)
  const built = (tag, words) =>
    check(`build ${tag}`, as(['build', '-q', '-t', tag, ...words], { timeout: 600_000 }), /sha256:/)
  check('import of debian:12', as(['import', debian, 'debian:12', '-q']), /sha256:/)
  built('node:20', [node])
  built('tools', [tools])
  for (const name of ['node-service', 'c-to-scratch', 'python-no-shell']) built(name, [join(place, 'examples', name)])
  const platforms = 'linux/amd64,linux/arm64,linux/riscv64'
  built('static-site', ['--platform', platforms, join(place, 'examples/static-site')])
  const ran = (image, command, expected) => {
    check(`ply run ${image}`, as(['run', '--rm', image, ...command]), expected)
    check(`podman run ${image}`, byPodman(store, image, command), expected)
  }
  const release = /^PRETTY_NAME="Debian GNU\/Linux 12/m
  ran('tools', [], release)
  ran('tools', ['file', '--version'], /^file-5/)
  ran('c-to-scratch', ['Debian'], undefined)
  ran('python-no-shell', [], /"user": 65532, "shell": false/)
  ran('node-service', ['node', 'server.js', '--once'], /^Hello, world\.$/m)
  for (const platform of platforms.split(','))
    check(`static-site for ${platform}`, as(['ls', '--platform', platform, 'static-site', '/srv/www']), /index\.html/)
  console.log(as(['run', '--rm', 'tools']).stdout.trimEnd())
}

/** As somebody who has root alone in a namespace. */
function withoutRange() {
  console.log('── an ordinary user without a range')
  const store = join(place, 'store-none')
  rmSync(store, { recursive: true, force: true })
  mkdirSync(store)
  chownSync(store, 1, 1)
  const user = { name: 'none', ids: '' }
  const imported = runAs(user, store, [...ply, 'import', debian, 'debian:12', '-q'])
  check('import of debian:12', imported, /sha256:/)
  const failed = runAs(user, store, [...ply, 'build', '-q', '-t', 'tools', tools], { timeout: 600_000 })
  check('the build is refused with what is missing', { ...failed, status: failed.status === 1 ? 0 : 1 }, /subuid/)
  console.log(failed.stderr.trimEnd().split('\n').slice(-6).join('\n'))
}

/** Starts something as root, or as `daemon` where the FUSE device is everybody's and /etc/subuid says what it is to say. */
function runAs({ ids }, store, words, { timeout = 120_000 } = {}) {
  const env = { ...process.env, PLY_ROOT: store, PLY_PROGRESS: 'none', HOME: store }
  if (ids === undefined) return spawnSync(words[0], words.slice(1), { encoding: 'utf8', env, timeout })
  const set = join(place, 'ids')
  writeFileSync(set, ids)
  const script = `
    mkdir -p "$0/dev"; mount -t tmpfs none "$0/dev"; mknod -m 0666 "$0/dev/fuse" c 10 229; mount --bind "$0/dev/fuse" /dev/fuse; umount -l "$0/dev"
    for file in /etc/subuid /etc/subgid; do mount --bind "$0/ids" $file; done
    cd /; exec setpriv --reuid=1 --regid=1 --clear-groups --inh-caps=-all "$@"`
  return spawnSync('unshare', ['--mount', 'sh', '-euc', script, place, ...words], { encoding: 'utf8', env, timeout })
}

/** By way of an archive, as root: what is asked is what is in the image. */
function byPodman(store, image, command) {
  const archive = join(place, 'copy.tar')
  rmSync(archive, { force: true })
  const copied = spawnSync(
    ply[0],
    [ply[1], '--root', store, 'copy', '--any-owner', '-q', image, `docker-archive:${archive}:${image}:latest`],
    {
      encoding: 'utf8',
    },
  )
  if (copied.status !== 0) return copied
  const own = [
    '--root',
    join(place, 'podman'),
    '--runroot',
    join(place, 'podman-run'),
    '--storage-driver',
    'overlay',
    '--cgroup-manager',
    'cgroupfs',
    '--runtime',
    'runc',
  ]
  const loaded = spawnSync('podman', [...own, 'load', '-q', '-i', archive], { encoding: 'utf8' })
  if (loaded.status !== 0) return loaded
  return spawnSync(
    'podman',
    [
      ...own,
      'run',
      '--rm',
      '--ulimit',
      'nofile=1024:1024',
      '--ulimit',
      'nproc=1024:1024',
      '--network',
      'host',
      `localhost/${image}:latest`,
      ...command,
    ],
    {
      encoding: 'utf8',
      timeout: 120_000,
    },
  )
}

function check(what, { status, stdout, stderr, error }, expected) {
  const good = status === 0 && (expected === undefined || expected.test(stdout) || expected.test(stderr))
  if (!good) failures++
  console.log(`${good ? 'ok    ' : 'FAILED'} ${what}`)
  if (!good) console.log(`${error ?? ''} ${status}\n${stdout.slice(-2000)}\n${stderr.slice(-3000)}`)
}
