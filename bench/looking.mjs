// Looking into images: the command, and the library in a process that runs already, beside mounting and unpacking with podman and umoci.
import { join } from 'node:path'
import { compare } from './measure.mjs'

const of = (results, name) => results.find((result) => result.name === name)

const layout = (images) => `oci:${images}/debian/oci:latest`

/** debian in a store of each; ours also with an image that somebody has changed, committed, and with no layer in common. */
const made = (images) =>
  `[ -e $T/looked/edited ] || { set -e; $PLY load ${layout(images)} -t debian:1 -q --root $T/looked; $PLY create debian:1 --name work -q --root $T/looked; ` +
  'for f in passwd group issue; do $PLY cat debian:1 /etc/$f --root $T/looked > $T/$f; echo more >> $T/$f; $PLY cp $T/$f work:/etc/$f --root $T/looked; done; ' +
  '$PLY rm -r work:/usr/share/zoneinfo --root $T/looked; $PLY commit work edited:1 -q --root $T/looked; $PLY flatten edited:1 -t flat:1 -q --root $T/looked; ' +
  '$PLY copy edited:1 oci:$T/edited:latest -q --root $T/looked; touch $T/looked/edited; } >/dev/null'
const stored = (images) =>
  `${made(images)}; [ -e $S/overlay/edited ] || { wipe; sko copy -q ${layout(images)} $(cs localhost/bench/debian:latest); sko copy -q oci:$T/edited:latest $(cs localhost/bench/edited:latest); touch $S/overlay/edited; }`
/** Another store of podman, which has nothing. */
const elsewhere = 'S=$S/pulled; mkdir -p $S'

/**
 * One question, with what is done before ours, each time: ours as a command and as bench/inside/looking.mjs knows it, and what is asked of `$m`, or of `$m` and `$n`, which are
 * where podman and umoci have the images then.
 */
function lookedAt(name, about, { ply, asks, theirs, two = false, before = ':' }) {
  return {
    name: `look into an image: ${name}`,
    about: [
      ...about,
      'The library has its store open, in a process that runs already: the first answer of that process, and the median of those after it.',
      'podman mounts what it has unpacked already, or pulls it first, from the same layout; umoci unpacks.',
      '',
    ],
    run({ images, scratch, inside, say, runs, environment }) {
      const both = (first, second) => (two ? `${first}; ${second}` : first)
      const unmounted = 'pod image umount --all >/dev/null'
      const pull = (from) => `$(pod image mount $(pod pull -q ${from}))`
      const gone = 'rm -rf $T/x $T/y'
      const results = compare(
        [
          ...ply.map(([what, command]) => ({
            name: what,
            setup: `${made(images)}; ${before}`,
            command: `${command} --root $T/looked >/dev/null || test $? = 1`,
          })),
          {
            name: 'podman image mount',
            setup: stored(images),
            command: `${both('m=$(pod image mount localhost/bench/debian:latest)', 'n=$(pod image mount localhost/bench/edited:latest)')}; ${theirs}; ${unmounted}`,
            cleanup: unmounted,
          },
          {
            name: 'podman pull and image mount',
            setup: `${made(images)}; ${elsewhere}; wipe`,
            command: `${elsewhere}; ${both(`m=${pull(layout(images))}`, `n=${pull('oci:$T/edited:latest')}`)}; ${theirs}; ${unmounted}`,
            cleanup: `${elsewhere}; ${unmounted}; wipe`,
          },
          {
            name: 'umoci unpack',
            setup: `${made(images)}; ${gone}`,
            command: `${both(`umoci unpack --image ${images}/debian/oci:latest $T/x`, 'umoci unpack --image $T/edited:latest $T/y')}; m=$T/x/rootfs; n=$T/y/rootfs; ${theirs}`,
            cleanup: gone,
          },
        ],
        { runs, environment, scratch },
      )
      const library = asks.map(([what, ...words]) => ({
        name: what,
        ...inside('looking.mjs', [join(scratch, 'run/looked'), ...words]),
      }))
      say('| | wall, ms | CPU, ms |')
      say('| --- | --: | --: |')
      const row = (what, wall, cpu) => say(`| ${what} | ${wall.toFixed(1)} | ${cpu.toFixed(1)} |`)
      for (const one of library) {
        row(`${one.name}, first`, one.firstWall, one.firstCpu)
        if (two) row(`${one.name}, second`, one.secondWall, one.secondCpu)
        row(`${one.name}, again`, one.wall, one.cpu)
      }
      for (const one of results)
        if (one.failed) say(`| ${one.name} | failed: ${one.failed} |`)
        else row(one.name, one.wall * 1000, one.cpu * 1000)
      say()
      const mounted = of(results, 'podman image mount')
      // Nothing is demanded of these: Node and the compiler of JavaScript begin in them, and podman has begun by mounting what lies unpacked.
      for (const [what] of ply)
        say(
          `- ${what}, of podman image mount: wall time ${ratio(of(results, what).wall, mounted.wall)}, CPU ${ratio(of(results, what).cpu, mounted.cpu)}`,
        )
      for (const one of library)
        say(
          `- ${one.name}, first, of podman image mount: wall time ${ratio(one.firstWall / 1000, mounted.wall)}, CPU ${ratio(one.firstCpu / 1000, mounted.cpu)}`,
        )
      const peers = results.filter((one) => !one.failed && !ply.some(([what]) => what === one.name))
      return peers.flatMap((peer) => [
        ...library.flatMap((one) => [
          { what: `${one.name}, again, wall time, of ${peer.name}`, value: one.wall / 1000 / peer.wall, limit: 0.2 },
          ...(peer === mounted
            ? []
            : [
                {
                  what: `${one.name}, first, wall time, of ${peer.name}`,
                  value: one.firstWall / 1000 / peer.wall,
                  limit: 0.2,
                },
              ]),
        ]),
        ...(peer === mounted ? [] : ply).map(([what]) => ({
          what: `${what}, wall time, of ${peer.name}`,
          value: of(results, what).wall / peer.wall,
          limit: 0.2,
        })),
      ])
    },
  }
}

const ratio = (ours, theirs) => (ours / theirs).toPrecision(3)

/** Both ways of looking into an archive, in this order. */
const ways = [
  ['headers alone', 'unverified'],
  ['verified', 'verified'],
]

export const looking = [
  lookedAt('ls', ['Every path of debian with what ls -l shows.'], {
    ply: [['ply ls -lR', '$PLY ls debian:1 -lR']],
    asks: [['library', 'ls', 'debian:1']],
    theirs: 'ls -lR $m >/dev/null',
  }),
  lookedAt('du', ['What every directory of debian takes.'], {
    ply: [['ply du', '$PLY du debian:1']],
    asks: [['library', 'du', 'debian:1']],
    theirs: 'du $m >/dev/null',
  }),
  lookedAt(
    'blame',
    [
      'The layer of every path of debian; of podman the paths of its layers beside what is there, of umoci what is there alone.',
    ],
    {
      ply: [['ply blame -r', '$PLY blame debian:1 -r /']],
      asks: [['library', 'blame', 'debian:1']],
      theirs: '{ find $m; [ -e $T/x ] || find $S/overlay/overlay/*/diff; } >/dev/null',
    },
  ),
  lookedAt(
    'diff',
    [
      'debian, and the same with three files edited and /usr/share/zoneinfo removed: in a layer of its own, and flattened, with no layer in',
      'common. Each pair of mounts or directories is compared by diff -r, which looks at contents alone.',
      'Contents that are compared for the second time are hashed on the way, and are not read from the third time on: of the library that is the',
      'median, and a row of its own. The commands compare for the first time.',
    ],
    {
      two: true,
      before: 'rm -f $T/looked/cache/layers/*.sums',
      ply: [
        ['ply diff', '$PLY diff debian:1 edited:1'],
        ['ply diff, flattened', '$PLY diff debian:1 flat:1'],
      ],
      asks: [
        ['library', 'diff', 'debian:1', 'edited:1'],
        ['library, flattened', 'diff', 'debian:1', 'flat:1'],
      ],
      theirs: '{ diff -r --no-dereference $m $n >/dev/null 2>&1 || test $? -le 2; }',
    },
  ),
  {
    name: 'look into an image: an archive of 1 GB',
    about: [
      'Every path of distro from its docker-archive by the library, with nothing stored, in a process that runs already: the first listing, and the',
      'median of those after it; by headers alone (`verify: false`), which is what the peer does, and verified, for which every byte is hashed.',
      'Every path is told with all that stat says of it; no lines are made of that, which the peer does: they take a third of the time more.',
      'The peer lists the same layers by GNU tar. As processes of their own: with starting Node and loading the library.',
      '',
    ],
    run({ images, scratch, inside, say, runs, environment }) {
      const archive = `docker-archive:${images}/distro/docker.tar`
      const results = compare(
        [
          ...ways.map(([name, how]) => ({
            name: `a process, ${name}`,
            command: `node $BENCH/inside/archive-listing.mjs ${archive} ${how} 1`,
          })),
          {
            name: 'tar -tvf',
            setup: `[ -e $T/layers ] || { mkdir $T/layers; tar -xf ${images}/distro/docker.tar -C $T/layers; }`,
            command:
              'for l in $(jq -r ".[0].Layers[]" $T/layers/manifest.json); do tar -tvf $T/layers/$l; done >/dev/null',
          },
        ],
        { runs, environment, scratch },
      )
      say('| | wall, ms | CPU, ms |')
      say('| --- | --: | --: |')
      const row = (what, wall, cpu) => say(`| ${what} | ${wall.toFixed(0)} | ${cpu.toFixed(0)} |`)
      const library = ways.map(([name, how]) => ({ name, ...inside('archive-listing.mjs', [archive, how]) }))
      for (const one of library) {
        row(`library, ${one.name}, first`, one.firstWall, one.firstCpu)
        row(`library, ${one.name}, again`, one.wall, one.cpu)
      }
      for (const one of results) row(one.name, one.wall * 1000, one.cpu * 1000)
      say()
      const peer = of(results, 'tar -tvf')
      const [headers, verified] = library
      for (const key of ['wall', 'cpu'])
        say(
          `- ${key === 'cpu' ? 'CPU' : 'wall time'}, of tar -tvf: the first listing of a process ${(headers[`first${key === 'cpu' ? 'Cpu' : 'Wall'}`] / 1000 / peer[key]).toPrecision(3)}, verified ${(verified[key] / 1000 / peer[key]).toPrecision(3)}`,
        )
      return ['wall', 'cpu'].map((key) => ({
        what: `library, headers alone, ${key === 'cpu' ? 'CPU' : 'wall time'}, of tar -tvf`,
        value: headers[key] / 1000 / peer[key],
        limit: 1.2,
      }))
    },
  },
]
