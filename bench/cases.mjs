// What is measured, against what, and what is demanded. `contenders` are whole processes; `run` cases measure inside one.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { looking } from './looking.mjs'
import { loopbackRegistry } from './registry.mjs'

const of = (results, name) => results.find((result) => result.name === name)
const best = (results, names, key) =>
  Math.min(...names.map((name) => of(results, name)?.[key] ?? Number.POSITIVE_INFINITY))

/** The blobs of an image's layers in its OCI layout. */
function blobs(images, image) {
  const layout = join(images, image, 'oci')
  const json = (digest) => JSON.parse(readFileSync(join(layout, 'blobs/sha256', digest.slice(7)), 'utf8'))
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'))
  return json(index.manifests[0].digest)
    .layers.map(({ digest }) => join(layout, 'blobs/sha256', digest.slice(7)))
    .join(' ')
}

const load = (reference, check) =>
  `$PLY load ${reference} -t bench:latest -q --root $T/store >/dev/null${check ? ` && node $BENCH/inside/check-tree.mjs $T/store bench:latest ${check}` : ''}`

export const cases = [
  {
    name: 'import distro from an OCI layout (gzip)',
    about: [
      'Both digests of each layer are verified, everything is synced. Ours ends when a fresh process has listed every path',
      'and read 100 files right; the floor is gunzip and two SHA-256 of the same blobs in Node, and writes nothing.',
      '',
    ],
    contenders: ({ images, sample }) => [
      { name: 'floor', command: `node $BENCH/floor.mjs gunzip-sha256 ${blobs(images, 'distro')}` },
      {
        name: 'ply',
        setup: 'rm -rf $T/store',
        command: load(`oci:${images}/distro/oci:latest`, sample('distro')),
        cleanup: 'rm -rf $T/store',
      },
      { name: 'podman pull', setup: 'wipe', command: `pod pull -q oci:${images}/distro/oci:latest`, cleanup: 'wipe' },
      {
        name: 'skopeo to containers-storage',
        setup: 'wipe',
        command: `sko copy -q oci:${images}/distro/oci:latest $(cs localhost/bench/distro:latest)`,
        cleanup: 'wipe',
      },
      { name: 'buildah pull', setup: 'wipe', command: `bld pull -q oci:${images}/distro/oci:latest`, cleanup: 'wipe' },
      {
        name: 'umoci unpack',
        setup: 'rm -rf $T/x',
        command: `umoci unpack --image ${images}/distro/oci:latest $T/x`,
        cleanup: 'rm -rf $T/x',
      },
    ],
    ratios(results) {
      const peers = ['podman pull', 'skopeo to containers-storage', 'buildah pull', 'umoci unpack']
      return [
        { what: 'CPU, of the floor', value: of(results, 'ply').cpu / of(results, 'floor').cpu, limit: 1.25 },
        { what: 'CPU, of the best peer', value: of(results, 'ply').cpu / best(results, peers, 'cpu'), limit: 0.45 },
        {
          what: 'wall time, of the best peer',
          value: of(results, 'ply').wall / best(results, peers, 'wall'),
          limit: 0.3,
        },
      ]
    },
  },
  {
    name: 'what durability costs',
    about: [
      'The same import into a store that syncs what it writes before it is named, and into one that syncs nothing; nothing is in the page cache.',
      '',
    ],
    contenders: ({ images }) =>
      [
        ['synced', ''],
        ['not synced', ' --no-durable'],
      ].map(([name, flag]) => ({
        name,
        setup: 'rm -rf $T/store; sync; echo 3 > /proc/sys/vm/drop_caches',
        command: `${load(`oci:${images}/distro/oci:latest`)}${flag}`,
        cleanup: 'rm -rf $T/store',
      })),
    ratios(results) {
      return ['cpu', 'wall'].map((key) => ({
        what: `${key === 'cpu' ? 'CPU' : 'wall time'}, of an import that syncs nothing`,
        value: of(results, 'synced')[key] / of(results, 'not synced')[key],
        limit: 1.15,
      }))
    },
  },
  {
    name: 'import distro from a docker-archive',
    about: ['What the disk alone takes for these bytes: dd, which checks nothing, and syncs once.', ''],
    contenders: ({ images, sample }) => [
      { name: 'floor', command: `node $BENCH/floor.mjs sha256 ${images}/distro/docker.tar` },
      {
        name: 'dd',
        command: `dd if=${images}/distro/docker.tar of=$T/dd bs=1M conv=fsync status=none`,
        cleanup: 'rm -f $T/dd',
      },
      {
        name: 'ply',
        setup: 'rm -rf $T/store',
        command: load(`docker-archive:${images}/distro/docker.tar`, sample('distro')),
        cleanup: 'rm -rf $T/store',
      },
      { name: 'podman load', setup: 'wipe', command: `pod load -q -i ${images}/distro/docker.tar`, cleanup: 'wipe' },
    ],
    ratios: (results) => [
      { what: 'CPU, of one SHA-256', value: of(results, 'ply').cpu / of(results, 'floor').cpu, limit: 1.4 },
      { what: 'CPU, of podman load', value: of(results, 'ply').cpu / of(results, 'podman load').cpu, limit: 0.25 },
      {
        what: 'wall time, of podman load',
        value: of(results, 'ply').wall / of(results, 'podman load').wall,
        limit: 0.25,
      },
    ],
  },
  {
    name: 'import distro without SHA instructions',
    about: [
      'The same imports and floors with the SHA instructions of the processor hidden from OpenSSL: what a machine without them sees.',
      '',
    ],
    contenders: ({ images, sample }) => {
      const hidden = 'export OPENSSL_ia32cap=:~0x20000000;'
      const ours = (name, reference) => ({
        name,
        setup: 'rm -rf $T/store',
        command: `${hidden} ${load(reference, sample('distro'))}`,
        cleanup: 'rm -rf $T/store',
      })
      return [
        { name: 'floor, gzip', command: `${hidden} node $BENCH/floor.mjs gunzip-sha256 ${blobs(images, 'distro')}` },
        ours('ply, gzip', `oci:${images}/distro/oci:latest`),
        { name: 'floor, tar', command: `${hidden} node $BENCH/floor.mjs sha256 ${images}/distro/docker.tar` },
        ours('ply, tar', `docker-archive:${images}/distro/docker.tar`),
      ]
    },
    ratios: (results) => [
      {
        what: 'CPU for gzip, of the floor',
        value: of(results, 'ply, gzip').cpu / of(results, 'floor, gzip').cpu,
        limit: 1.25,
      },
      {
        what: 'CPU for tar, of one SHA-256',
        value: of(results, 'ply, tar').cpu / of(results, 'floor, tar').cpu,
        limit: 1.4,
      },
    ],
  },
  {
    name: 'import smallfiles',
    about: ['One layer of 200,000 files.', ''],
    contenders: ({ images }) => [
      {
        name: 'ply',
        setup: 'rm -rf $T/store',
        command: load(`docker-archive:${images}/smallfiles/docker.tar`),
        cleanup: 'find $T/store/blobs $T/store/cache -type f -links 1 -size +300k | wc -l > $T/inodes; rm -rf $T/store',
      },
      {
        name: 'podman load',
        setup: 'wipe',
        command: `pod load -q -i ${images}/smallfiles/docker.tar`,
        cleanup: 'wipe',
      },
    ],
    ratios: (results, { scratch }) => [
      { what: 'CPU, of podman load', value: of(results, 'ply').cpu / of(results, 'podman load').cpu, limit: 0.1 },
      {
        what: 'files on the disk for the layer',
        value: Number(readFileSync(join(scratch, 'run/inodes'), 'utf8')),
        limit: 2,
      },
    ],
  },
  {
    name: 'export distro',
    about: ['From what is in the store of each: skopeo has its own.', ''],
    contenders: ({ images }) => {
      const ours = `[ -e $T/full ] || $PLY load oci:${images}/distro/oci:latest -t bench:latest -q --root $T/full >/dev/null`
      const theirs = `[ -e $S/overlay ] || sko copy -q oci:${images}/distro/oci:latest $(cs localhost/bench/distro:latest)`
      return [
        {
          name: 'ply to docker-archive',
          setup: ours,
          command: '$PLY copy bench:latest docker-archive:$T/e.tar:bench:latest -q --root $T/full >/dev/null',
          cleanup: 'rm -f $T/e.tar',
        },
        {
          name: 'skopeo to docker-archive',
          setup: theirs,
          command: 'sko copy -q $(cs localhost/bench/distro:latest) docker-archive:$T/e.tar:bench:latest',
          cleanup: 'rm -f $T/e.tar',
        },
        {
          name: 'skopeo oci to docker-archive',
          setup: ours,
          command: `sko copy -q oci:${images}/distro/oci:latest docker-archive:$T/e.tar:bench:latest`,
          cleanup: 'rm -f $T/e.tar',
        },
        {
          name: 'ply to OCI gzip',
          setup: ours,
          command: '$PLY copy bench:latest oci:$T/o:latest -q --root $T/full >/dev/null',
          cleanup: 'rm -rf $T/o',
        },
        {
          name: 'skopeo to OCI gzip',
          setup: theirs,
          command: 'sko copy -q $(cs localhost/bench/distro:latest) oci:$T/o:latest',
          cleanup: 'rm -rf $T/o',
        },
        {
          name: 'skopeo oci to oci',
          setup: ours,
          command: `sko copy -q oci:${images}/distro/oci:latest oci:$T/o:latest`,
          cleanup: 'rm -rf $T/o',
        },
        {
          name: 'ply, compressed anew',
          setup: ours,
          command: '$PLY copy bench:latest oci:$T/o:latest --compress gzip -q --root $T/full >/dev/null',
          cleanup: 'rm -rf $T/o',
        },
      ]
    },
    ratios: (results) => [
      {
        what: 'wall time to docker-archive, of skopeo from its store',
        value: of(results, 'ply to docker-archive').wall / of(results, 'skopeo to docker-archive').wall,
        limit: 1,
      },
      {
        what: 'wall time to docker-archive, of skopeo from the same layout',
        value: of(results, 'ply to docker-archive').wall / of(results, 'skopeo oci to docker-archive').wall,
        limit: 1,
      },
      {
        what: 'wall time to OCI, of skopeo from its store',
        value: of(results, 'ply to OCI gzip').wall / of(results, 'skopeo to OCI gzip').wall,
        limit: 1,
      },
      {
        what: 'wall time to OCI, of skopeo from the same layout',
        value: of(results, 'ply to OCI gzip').wall / of(results, 'skopeo oci to oci').wall,
        limit: 1,
      },
      {
        what: 'wall time compressing anew, of skopeo from its store',
        value: of(results, 'ply, compressed anew').wall / of(results, 'skopeo to OCI gzip').wall,
        limit: 1,
      },
    ],
  },
  {
    name: 'pull distro from a registry',
    about: [
      "Debian's docker-registry on loopback, without TLS. Ours ends when a fresh process has listed every path and read 100 files right.",
      '',
    ],
    contenders({ images, scratch, sample }) {
      const { host } = loopbackRegistry(join(scratch, 'registry'))
      const seeded = `[ -e ${scratch}/registry/seeded ] || { sko copy -q --dest-tls-verify=false oci:${images}/distro/oci:latest docker://${host}/bench/distro:latest && touch ${scratch}/registry/seeded; }`
      return [
        {
          name: 'ply',
          setup: `${seeded}; rm -rf $T/store`,
          command: load(`docker://${host}/bench/distro:latest`, sample('distro')),
          cleanup: 'rm -rf $T/store',
        },
        {
          name: 'podman pull',
          setup: `${seeded}; wipe`,
          command: `pod pull -q --tls-verify=false docker://${host}/bench/distro:latest`,
          cleanup: 'wipe',
        },
        {
          name: 'skopeo to containers-storage',
          setup: `${seeded}; wipe`,
          command: `sko copy -q --src-tls-verify=false docker://${host}/bench/distro:latest $(cs localhost/bench/distro:latest)`,
          cleanup: 'wipe',
        },
      ]
    },
    ratios: (results) =>
      ['podman pull', 'skopeo to containers-storage'].flatMap((peer) =>
        ['wall', 'cpu'].map((key) => ({
          what: `${key === 'cpu' ? 'CPU' : 'wall time'}, of ${peer}`,
          value: of(results, 'ply')[key] / of(results, peer)[key],
          limit: 0.5,
        })),
      ),
  },
  {
    name: 'push of a new layer of 100 MB to a registry',
    about: [
      'It has the layers of distro below it already. The new one does not compress, and is another one each time. From what is in the store of',
      'each: skopeo has its own, and packs the layer anew; and from the same OCI layout, where both send bytes that are there.',
      '',
    ],
    contenders({ images, scratch }) {
      const { host } = loopbackRegistry(join(scratch, 'registry-push'), 5124)
      const seeded = `[ -e ${scratch}/registry-push/seeded ] || { sko copy -q --dest-tls-verify=false oci:${images}/distro/oci:latest docker://${host}/bench/distro:latest && touch ${scratch}/registry-push/seeded; }`
      const fresh = `${seeded}; node $BENCH/inside/new-layer.mjs ${images}/distro/oci:latest $T/new 100`
      const target = `docker://${host}/bench/distro:new`
      return [
        {
          name: 'ply from its store',
          setup: `${fresh}; $PLY load oci:$T/new:latest -t bench:new -q --root $T/pushing >/dev/null`,
          command: `$PLY copy bench:new ${target} -q --root $T/pushing >/dev/null`,
        },
        {
          name: 'skopeo from its store',
          setup: `${fresh}; sko copy -q oci:$T/new:latest $(cs localhost/bench/distro:new)`,
          command: `sko copy -q --dest-tls-verify=false $(cs localhost/bench/distro:new) ${target}`,
        },
        {
          name: 'ply from a layout',
          setup: fresh,
          command: `$PLY copy oci:$T/new:latest ${target} -q --root $T/store >/dev/null`,
        },
        {
          name: 'skopeo from a layout',
          setup: fresh,
          command: `sko copy -q --dest-tls-verify=false oci:$T/new:latest ${target}`,
        },
        {
          // What the registry itself takes: no manifest, nothing asked for, nothing checked.
          name: 'curl, the blob alone',
          setup: `${fresh}; ls -S -d $T/new/blobs/sha256/* | head -1 > $T/blob`,
          command: `at=$(curl -s -i -X POST http://${host}/v2/bench/distro/blobs/uploads/ | tr -d '\\r' | sed -n 's/^Location: //Ip'); curl -s -f -o /dev/null -T $(cat $T/blob) "$at&digest=sha256:$(basename $(cat $T/blob))"`,
        },
      ]
    },
    ratios: (results) => [
      {
        what: 'wall time, of skopeo from its store',
        value: of(results, 'ply from its store').wall / of(results, 'skopeo from its store').wall,
        limit: 0.7,
      },
      {
        what: 'CPU, of skopeo from its store',
        value: of(results, 'ply from its store').cpu / of(results, 'skopeo from its store').cpu,
        limit: 0.7,
      },
      {
        what: 'wall time from a layout, of skopeo',
        value: of(results, 'ply from a layout').wall / of(results, 'skopeo from a layout').wall,
        limit: 0.7,
      },
    ],
  },
  {
    name: 'what comes from a registry',
    about: ['Bytes that travel: distro, then the same with a small layer above it, and looking at that layer.', ''],
    run({ images, scratch, inside, say, environment }) {
      const { host, stop } = loopbackRegistry(join(scratch, 'registry-bytes'), 5125)
      const copies = [
        `sko copy -q --dest-tls-verify=false oci:${images}/distro/oci:latest docker://${host}/bench/distro:latest`,
        `node $BENCH/inside/new-layer.mjs ${images}/distro/oci:latest $T/new 0.25`,
        `sko copy -q --dest-tls-verify=false oci:$T/new:latest docker://${host}/bench/distro:more`,
      ]
      // A pipe for stdin would have bash skip `BASH_ENV`.
      execFileSync('bash', ['-c', copies.join(' && ')], {
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      const words = [host, 'bench/distro:latest', 'bench/distro:more', join(scratch, 'run')]
      const bytes = inside('registry-bytes.mjs', words, { runs: 1, deep: true })
      stop()
      say('| | KB |')
      say('| --- | --: |')
      const row = (what, key) => say(`| ${what} | ${(bytes[key] / 1000).toFixed(1)} |`)
      row('pull of distro', 'first')
      row('pull of what has a layer of 256 KiB more', 'more')
      row('the same again', 'again')
      row('`ply ls` of the small layer, with nothing here', 'looking')
      row('`ply inspect`', 'inspecting')
      say()
      return [
        { what: 'the second pull', value: bytes.more / 1000, limit: 262 + 40, unit: ' KB' },
        { what: '`ply ls` of the small layer', value: bytes.looking / 1000, limit: 1000, unit: ' KB' },
        { what: '`ply inspect`', value: bytes.inspecting / 1000, limit: 60, unit: ' KB' },
      ]
    },
  },
  {
    name: 'tar codec',
    run({ images, scratch, inside, say }) {
      const raw = join(scratch, 'run/raw.tar')
      if (!existsSync(raw)) {
        const { layers } = JSON.parse(readFileSync(join(images, 'smallfiles/info.json'), 'utf8'))
        execFileSync('bash', [
          '-c',
          `tar -xOf ${images}/smallfiles/docker.tar ${layers[0].diff_id.slice(7)}.tar > ${raw}`,
        ])
      }
      const parse = inside('tar-parse.mjs', ['plyfs', raw])
      const parseStream = inside('tar-parse.mjs', ['tar-stream', raw])
      const pack = inside('tar-pack.mjs', ['plyfs', 60_000])
      const packStream = inside('tar-pack.mjs', ['tar-stream', 60_000])
      say('| entries per second of CPU | plyfs | tar-stream | |')
      say('| --- | --: | --: | --: |')
      const row = (what, a, b) =>
        say(`| ${what} | ${Math.round(a.rate)} | ${Math.round(b.rate)} | ${(a.rate / b.rate).toFixed(1)} times |`)
      row('read (smallfiles)', parse, parseStream)
      row('write (60,000 files of 1.2 KB)', pack, packStream)
      say()
      return [
        { what: 'time to read, of tar-stream', value: parseStream.rate / parse.rate, limit: 0.2 },
        { what: 'time to write, of tar-stream', value: packStream.rate / pack.rate, limit: 1 / 3 },
      ]
    },
  },
  {
    name: 'many entries',
    run({ scratch, inside, say, quick }) {
      const many = quick ? 200_000 : 1_000_000
      const directory = join(scratch, 'run')
      const few = inside('many-entries.mjs', [many / 10, directory])
      const all = inside('many-entries.mjs', [many, directory])
      const spread = inside('many-entries.mjs', [200_000, directory])
      const flat = inside('many-entries.mjs', [200_000, directory, 200_000])
      say('| entries | import, CPU s | fold, CPU s | peak memory, MB | bytes an inode | with trailer |')
      say('| --: | --: | --: | --: | --: | --: |')
      const row = (what, r) =>
        say(
          `| ${what} | ${r.importCpu.toFixed(2)} | ${r.foldCpu.toFixed(2)} | ${r.rss.toFixed(0)} | ${r.bytesPerInode.toFixed(1)} | ${r.fileBytesPerInode.toFixed(1)} |`,
        )
      row(many / 10, few)
      row(many, all)
      row('200,000', spread)
      row('200,000 in one directory', flat)
      say()
      return [
        { what: 'peak memory', value: all.rss, limit: 1000, unit: ' MB' },
        { what: 'index before its trailer', value: all.bytesPerInode, limit: 130, unit: ' bytes an inode' },
        { what: 'ten times the entries take', value: all.cpu / few.cpu, limit: 11, unit: ' times as long' },
        {
          what: 'one directory, of the same entries in many',
          value: flat.cpu / spread.cpu,
          limit: 1.5,
        },
      ]
    },
  },
  {
    name: 'lookup',
    run({ scratch, inside, say }) {
      const depths = [1, 10, 120, 500]
      const results = depths.map((layers) => inside('lookup.mjs', [layers, join(scratch, 'run')]))
      say('| layers | lookup of a path of 5 names, µs | walk, µs an entry | opening the tree, ms |')
      say('| --: | --: | --: | --: |')
      for (const r of results)
        say(`| ${r.layers} | ${r.lookup.toFixed(2)} | ${r.walked.toFixed(2)} | ${r.opening.toFixed(2)} |`)
      say()
      const worst = (key) => Math.max(...results.map((result) => result[key]))
      return [
        { what: 'lookup', value: worst('lookup'), limit: 3, unit: ' µs' },
        { what: 'walk', value: worst('walked'), limit: 1, unit: ' µs an entry' },
        { what: 'opening', value: worst('opening'), limit: 10, unit: ' ms' },
        { what: 'lookup in 500 layers, of one', value: results[3].lookup / results[0].lookup, limit: 1.5 },
      ]
    },
  },
  {
    name: 'fs of a container: reading',
    about: [
      'Synchronous calls of the `fs` of a container in one process, beside those of node:fs on the kernel’s overlayfs over the same layers, extracted.',
      'Every path of `deep` (120 layers) in random order, everything warm; then one tree of 20,000 files (2000 in a quick run) in 10, 60 and 120 layers.',
      '',
    ],
    run({ images, scratch, inside, say, quick }) {
      const words = [join(scratch, 'run'), ...(quick ? [1, 2000] : [5, 20_000])]
      const measured = (image) => inside('reading.mjs', [image, ...words], { deep: true })
      const deep = measured(`oci:${images}/deep/oci:latest`)
      say('| µs a call | CPU | clock | node:fs, CPU | clock | times as fast, CPU | clock |')
      say('| --- | --: | --: | --: | --: | --: | --: |')
      for (const { call, ours, peer } of deep.calls) {
        const numbers = [ours.cpu, ours.wall, peer.cpu, peer.wall, peer.cpu / ours.cpu, peer.wall / ours.wall]
        say(`| ${[call, ...numbers.map((number) => number.toFixed(2))].join(' | ')} |`)
      }
      say()
      const depths = [10, 60, 120].map(measured)
      say('| µs of CPU a call, by layers | 10 | 60 | 120 | node:fs: 10 | 60 | 120 |')
      say('| --- | --: | --: | --: | --: | --: | --: |')
      const least = depths[0].calls
      for (const [at, { call }] of least.entries()) {
        const numbers = ['ours', 'peer'].flatMap((who) => depths.map(({ calls }) => calls[at][who].cpu))
        say(`| ${[call, ...numbers.map((number) => number.toFixed(2))].join(' | ')} |`)
      }
      say()
      const demanded = ['stat', 'readdir', 'open, read, close']
      return [
        ...deep.calls
          .filter(({ call }) => demanded.includes(call))
          .flatMap(({ call, ours, peer }) => [
            { what: `CPU of ${call}, of node:fs`, value: ours.cpu / peer.cpu, limit: 0.5 },
            { what: `wall time of ${call}, of node:fs`, value: ours.wall / peer.wall, limit: 0.5 },
          ]),
        ...least.map(({ call, ours }, at) => ({
          what: `${call} in 120 layers, of 10`,
          value: depths[2].calls[at].ours.cpu / ours.cpu,
          limit: 1.3,
        })),
      ]
    },
  },
  {
    name: 'fs of a container: making and removing',
    about: [
      'Empty files, a hundred thousand in directories of a thousand, made (`open` with `wx`, `close`) and removed in a container of either form,',
      'beside node:fs on the same disk.',
      '',
    ],
    run({ scratch, inside, say, quick }) {
      const files = quick ? 20_000 : 100_000
      const made = inside('making.mjs', [join(scratch, 'run'), files, quick ? 1 : 3], { deep: true })
      say('| µs a file | create, CPU | clock | unlink, CPU | clock |')
      say('| --- | --: | --: | --: | --: |')
      for (const [who, { create, unlink }] of Object.entries(made)) {
        const numbers = [create.cpu, create.wall, unlink.cpu, unlink.wall]
        say(`| ${[who === 'peer' ? 'node:fs' : who, ...numbers.map((number) => number.toFixed(1))].join(' | ')} |`)
      }
      say()
      const { peer, ...forms } = made
      return Object.entries(forms).flatMap(([form, calls]) =>
        Object.entries(calls).flatMap(([call, { cpu, wall }]) => [
          { what: `CPU of ${call} (${form}), of node:fs`, value: cpu / peer[call].cpu, limit: 2 },
          { what: `wall time of ${call} (${form}), of node:fs`, value: wall / peer[call].wall, limit: 2 },
        ]),
      )
    },
  },
  {
    name: 'many names',
    run({ scratch, inside, say, quick }) {
      const [names, images] = quick ? [20_000, 2000] : [100_000, 10_000]
      const store = join(scratch, 'run/many-names')
      const measure = (act) => inside('many-tags.mjs', [act, store, names, images])
      const best = (act, times) => Array.from({ length: times }, () => measure(act)).sort((a, b) => a.cpu - b.cpu)[0]
      measure('make')
      const first = measure('images')
      const listed = best('images', 5)
      const tagged = best('tag', 5)
      const after = measure('images')
      const accounted = best('df', 2)
      rmSync(store, { recursive: true, force: true })
      say(
        `${names.toLocaleString('en')} names of ${images.toLocaleString('en')} images; CPU and clock in milliseconds.`,
      )
      say()
      say('| | CPU | clock | peak memory, MB |')
      say('| --- | --: | --: | --: |')
      const row = (what, r) =>
        say(`| ${what} | ${(r.cpu * 1000).toFixed(0)} | ${(r.wall * 1000).toFixed(0)} | ${r.rss.toFixed(0)} |`)
      row('`images`, the first time', first)
      row('`images`', listed)
      row('`images` after 100 names were set', after)
      row('`tag`, the slowest of 19', tagged)
      row('`df`', accounted)
      say()
      return [
        { what: '`images`', value: listed.cpu * 1000, limit: 1000, unit: ' ms of CPU' },
        { what: '`tag`', value: tagged.wall * 1000, limit: 50, unit: ' ms' },
        { what: 'peak memory of `images`', value: Math.max(first.rss, listed.rss), limit: 300, unit: ' MB' },
      ]
    },
  },
  {
    name: 'commit of 20 files',
    run({ images, scratch, inside, say, environment }) {
      const measured = ['distro', 'deep'].map((image) => {
        const store = join(scratch, `run/commit-${image}`)
        rmSync(store, { recursive: true, force: true })
        execFileSync(
          'bash',
          ['-c', `$PLY load oci:${images}/${image}/oci:latest -t bench:latest -q --root ${store} > /dev/null`],
          { env: { ...process.env, ...environment } },
        )
        const result = inside('commit.mjs', [store, 'bench:latest'])
        rmSync(store, { recursive: true, force: true })
        say(
          `- ${image} (${image === 'distro' ? '4 layers, 1.1 GB' : '120 layers, 60 MB'}): ${result.milliseconds.toFixed(1)} ms`,
        )
        return result.milliseconds
      })
      say()
      return [
        { what: 'commit on distro', value: measured[0], limit: 50, unit: ' ms' },
        { what: 'commit on deep', value: measured[1], limit: 50, unit: ' ms' },
        { what: 'the slower, of the faster', value: Math.max(...measured) / Math.min(...measured), limit: 2 },
      ]
    },
  },
  {
    name: 'commit of 10 changed and 10 removed files',
    run({ images, scratch, inside, say, environment }) {
      const [distro, few] = ['distro', 'few'].map((image) => {
        const store = join(scratch, `run/commit-${image}`)
        rmSync(store, { recursive: true, force: true })
        if (image === 'distro')
          execFileSync(
            'bash',
            ['-c', `$PLY load oci:${images}/distro/oci:latest -t distro:latest -q --root ${store} > /dev/null`],
            { env: { ...process.env, ...environment } },
          )
        const { milliseconds } = inside('commit.mjs', [store, image, 'removing'])
        rmSync(store, { recursive: true, force: true })
        say(
          `- ${image === 'distro' ? 'distro (4 layers, 1.1 GB)' : 'an image of 20 files'}: ${milliseconds.toFixed(1)} ms`,
        )
        return milliseconds
      })
      say()
      return [
        { what: 'commit on distro', value: distro, limit: 50, unit: ' ms' },
        { what: 'on distro, of an image of 20 files', value: distro / few, limit: 1.5 },
      ]
    },
  },
  {
    name: 'commit of 10 changed and 10 removed files, by commands',
    about: [
      'What the others do with the same change of the same image; umoci looks at every file, and compresses the layer',
      '',
    ],
    contenders({ images, scratch }) {
      const store = join(scratch, 'run/commits')
      const image = `${images}/distro/oci`
      const change = (root) =>
        `find ${root} -xdev -type f | sort | head -20 > $T/files; head -10 $T/files | xargs rm; tail -10 $T/files | while read -r f; do echo changed >> "$f"; done`
      return [
        {
          name: 'ply commit',
          setup: `[ -d ${store} ] || $PLY load oci:${image}:latest -t distro:latest -q --root ${store}; node $BENCH/inside/change.mjs ${store} distro:latest work`,
          command: `$PLY commit work made:latest -q --root ${store}`,
          cleanup: `$PLY rm work --root ${store}`,
        },
        {
          name: 'buildah commit',
          setup: `bld inspect work > /dev/null 2>&1 || bld from -q --name work oci:${image}:latest; m=$(bld mount work); ${change('$m/usr/share')}`,
          command: 'bld commit -q --disable-compression work made',
        },
        {
          name: 'umoci repack',
          setup: `[ -d $T/bundle ] || { cp -r ${image} $T/layout; umoci unpack --image $T/layout:latest $T/bundle; }; ${change('$T/bundle/rootfs/usr/share')}`,
          command: 'umoci repack --image $T/layout:made $T/bundle',
        },
      ]
    },
    ratios(results) {
      // buildah writes the upper directory of a mount as it is: what is more than that in ours is starting Node.
      const [ply, buildah, umoci] = ['ply commit', 'buildah commit', 'umoci repack'].map((name) => of(results, name))
      return [
        { what: 'CPU, of `umoci repack`', value: ply.cpu / umoci.cpu, limit: 0.1 },
        { what: 'CPU beyond that of `buildah commit`', value: (ply.cpu - buildah.cpu) * 1000, limit: 300, unit: ' ms' },
      ]
    },
  },
  {
    name: 'snapshot and clone',
    run({ scratch, inside, say, quick }) {
      const size = quick ? [10_000, 2] : [100_000, 10]
      const demanded = []
      for (const form of ['overlay', 'portable']) {
        const store = join(scratch, `run/snapshot-${form}`)
        rmSync(store, { recursive: true, force: true })
        const { empty, full, depths } = inside('snapshot.mjs', [store, form, ...size])
        rmSync(store, { recursive: true, force: true })
        say(
          `A container with ${size[0]} changed files and ${size[1]} GiB of data, and one without (${form} form), in ms:`,
        )
        say()
        say('| | snapshot | clone | snapshot of an open one |')
        say('| --- | --: | --: | --: |')
        for (const [name, { snapshot, clone, open }] of Object.entries({ full, empty }))
          say(`| ${name} | ${snapshot.toFixed(1)} | ${clone.toFixed(1)} | ${open.toFixed(1)} |`)
        say()
        say('| frozen uppers | opening, ms | first listing, ms | lookup of a name, µs |')
        say('| --: | --: | --: | --: |')
        for (const [depth, { open, first, lookup }] of Object.entries(depths))
          say(`| ${depth} | ${open.toFixed(1)} | ${first.toFixed(1)} | ${lookup.toFixed(2)} |`)
        say()
        for (const what of ['snapshot', 'clone']) {
          demanded.push({ what: `${what} (${form})`, value: full[what], limit: 20, unit: ' ms' })
          demanded.push({ what: `${what} (${form}), of an empty one`, value: full[what] / empty[what], limit: 2 })
        }
      }
      return demanded
    },
  },
  {
    name: 'large files',
    run({ scratch, inside, say, quick }) {
      const mebibytes = quick ? 256 : 4096
      const { changed, measured } = inside('large-files.mjs', [join(scratch, 'run/large-files'), mebibytes])
      const MiB = (bytes) => (bytes / 2 ** 20).toFixed(2)
      say(
        `4 KiB written into a file of ${mebibytes} MiB that an image has, and a hundredth of its blocks in each of many copies (20 containers that`,
      )
      say('are clones of one; two of the others, which copy all of it):')
      say()
      say(
        '| | written, ms | on the disk, ms | MiB of disk | a copy with its changes, ms | MiB of disk | of what was changed |',
      )
      say('| --- | --: | --: | --: | --: | --: | --: |')
      for (const [name, { written, synced, takes, each, eachTakes }] of Object.entries(measured))
        say(
          `| ${name} | ${written.toFixed(1)} | ${synced.toFixed(1)} | ${MiB(takes)} | ${each.toFixed(0)} | ${MiB(eachTakes)} | ${(eachTakes / changed).toFixed(2)} |`,
        )
      say()
      return ['overlay', 'portable'].flatMap((form) => {
        const { written, takes, eachTakes } = measured[`ply (${form})`]
        return [
          { what: `4 KiB into a large file (${form})`, value: written, limit: 50, unit: ' ms' },
          { what: `4 KiB into a large file (${form}), disk`, value: takes / 2 ** 20, limit: 8, unit: ' MiB' },
          { what: `a clone, of what was changed in it (${form})`, value: eachTakes / changed, limit: 1.3 },
        ]
      })
    },
  },
  {
    name: 'from an archive to a mounted root file system',
    about: [
      'An image that nobody knows yet: taken in and mounted. umoci unpacks the same image from its OCI layout.',
      '',
    ],
    contenders: ({ images }) => [
      {
        name: 'ply load, ply mount',
        setup: 'rm -rf $T/store; mkdir -p $T/mnt',
        command: `${load(`docker-archive:${images}/distro/docker.tar`)} && $PLY mount bench:latest $T/mnt -q --root $T/store >/dev/null && test -d $T/mnt/etc`,
        cleanup: '$PLY umount $T/mnt -q --root $T/store >/dev/null; rm -rf $T/store',
      },
      {
        name: 'podman load, podman image mount',
        setup: 'wipe',
        command: `pod load -q -i ${images}/distro/docker.tar >/dev/null && test -d $(pod image mount $(pod images -q | head -n 1))/etc`,
        cleanup: 'pod image umount --all >/dev/null; wipe',
      },
      {
        name: 'umoci unpack',
        setup: 'rm -rf $T/x',
        command: `umoci unpack --image ${images}/distro/oci:latest $T/x`,
        cleanup: 'rm -rf $T/x',
      },
    ],
    ratios(results) {
      return ['podman load, podman image mount', 'umoci unpack'].map((peer) => ({
        what: `wall time, of ${peer}`,
        value: of(results, 'ply load, ply mount').wall / of(results, peer).wall,
        limit: 1 / 3,
      }))
    },
  },
  {
    name: 'kernel mount',
    about: [
      'distro mounted by the kernel from its index and its tars; walked and read beside the kernel’s overlayfs over the same layers,',
      'extracted. Nothing is in the page cache.',
      '',
    ],
    run({ images, scratch, inside, say, runs }) {
      const { mounting, ours, peer } = inside('kernel-mount.mjs', [images, join(scratch, 'run'), runs], {
        runs: 1,
        deep: true,
      })
      rmSync(join(scratch, 'run/kernel-mount'), { recursive: true, force: true })
      say('| ms | ply | overlayfs over extracted layers |')
      say('| --- | --: | --: |')
      for (const what of ['walk', 'read']) say(`| ${what} | ${ours[what].toFixed(0)} | ${peer[what].toFixed(0)} |`)
      say()
      return [
        { what: 'mount and unmount', value: mounting.mount + mounting.unmount, limit: 30, unit: ' ms' },
        { what: 'walk, of overlayfs', value: ours.walk / peer.walk, limit: 1 },
        { what: 'read, of overlayfs', value: ours.read / peer.read, limit: 1 },
      ]
    },
  },
  {
    name: 'fuse',
    about: [
      'Walks, reads and writes in a FUSE mount of distro with one more layer that holds a file of 256 MiB, beside fuse-overlayfs and the kernel’s',
      'overlayfs over the same layers, extracted; and for what makes and moves names a FUSE server in C that keeps nothing and calls no disk:',
      'what FUSE takes by itself, asleep between requests and awake. Low latency is `ply mount --low-latency`, over an upper in overlayfs’s form.',
      'Each after a new mount and in turns; what is read below has just been read. In µs for each entry, file, read or write; CPU is that of the',
      'server, and of the program that asks. “Not synced” is a store made with `--no-durable`, and overlayfs with `volatile`; fuse-overlayfs syncs',
      'no copy-up in either. Where the time of the worst row goes: [profile](profiles/fuse-first-write.svg).',
      '',
    ],
    run({ images, scratch, inside, say, quick, runs }) {
      const results = inside(
        'fuse.mjs',
        [images, join(scratch, 'run'), quick ? 1 : Math.max(runs, 5), quick ? 1000 : 4000],
        {
          runs: 1,
          deep: true,
        },
      )
      rmSync(join(scratch, 'run/fuse'), { recursive: true, force: true })
      const { 'fuse-overlayfs': peer, kernel, nothing, 'nothing-awake': awake } = results
      const ours = ['overlay', 'portable', 'low-latency']
      const names = ['ply, overlay', 'ply, portable', 'ply, low latency']
      say(
        `| | ${names.join(' | ')} | fuse-overlayfs | kernel | FUSE alone, asleep | awake | CPU, ${names.join(' | CPU, ')} | CPU, fuse-overlayfs | CPU, kernel |`,
      )
      say(`| --- |${' --: |'.repeat(12)}`)
      const each = (measured) => (measured ? (measured.wall / measured.count).toFixed(1) : '')
      const cpu = ({ server, client, count }) => `${(server / count).toFixed(1)} + ${(client / count).toFixed(1)}`
      for (const what of Object.keys(peer)) {
        const all = [...ours.map((form) => results[form][what]), peer[what], kernel[what]]
        say(`| ${what} | ${[...[...all, nothing[what], awake[what]].map(each), ...all.map(cpu)].join(' | ')} |`)
      }
      say()
      return ours.flatMap((form) =>
        Object.keys(peer).map((what) => ({
          what: `${what} (${form.replace('-', ' ')}), wall time, of fuse-overlayfs`,
          value: results[form][what].wall / peer[what].wall,
          limit: ['create', 'rename', 'unlink'].includes(what) ? 0.333 : 1,
        })),
      )
    },
  },
  ...looking,
  {
    name: 'start-up',
    about: ['Commands that do little, on a store with one small image, in turns with what Node takes for nothing.', ''],
    run({ scratch, inside, say, quick }) {
      const words = [join(import.meta.dirname, '../bin/ply.js'), join(scratch, 'run/start-up'), quick ? 11 : 41]
      const results = inside('start-up.mjs', words, { runs: 1, deep: true })
      const bare = results['node -e 0']
      say('| ms | wall | CPU |')
      say('| --- | --: | --: |')
      for (const [name, { wall, cpu }] of Object.entries(results))
        say(`| ${name} | ${wall.toFixed(0)} | ${cpu.toFixed(0)} |`)
      say()
      return ['ply --version', 'ply images', 'ply ls', 'a Tab after ply ls'].flatMap((name) =>
        ['cpu', 'wall'].map((key) => ({
          what: `${key === 'cpu' ? 'CPU' : 'wall time'} of ${name}, of node -e 0`,
          value: results[name][key] / bare[key],
          limit: 1.5,
        })),
      )
    },
  },
  {
    name: 'a listing of a million entries',
    about: ['`ply ls -R --json`: when it begins, beyond what listing one file takes, and what it needs.', ''],
    run({ scratch, inside, say, quick }) {
      const directory = join(scratch, 'run/listing')
      const { entries, first, beyondOne, memory, cpu, quiet } = inside(
        'listing.mjs',
        [quick ? 200_000 : 1_000_000, directory],
        { runs: 1, deep: true },
      )
      rmSync(directory, { recursive: true, force: true })
      say(
        `${entries} entries: the first after ${first.toFixed(0)} ms of the process, all in ${cpu.toFixed(1)} s of CPU; a reader that leaves early ${quiet ? 'hears nothing' : 'IS TOLD'}.`,
      )
      say()
      return [
        { what: 'the first bytes, beyond those of one file', value: beyondOne, limit: 200, unit: ' ms' },
        { what: 'peak of memory', value: memory, limit: 250, unit: ' MB' },
      ]
    },
  },
  {
    name: 'build: cached, 20 steps',
    about: [
      'A Dockerfile of 20 steps on a small Debian, in which nothing has changed since it was built by the same program; buildah with `--layers`.',
      '',
    ],
    contenders: ({ images }) =>
      builders(images, {
        context: `mkdir -p $T/context/src; for n in $(seq 200); do echo $n > $T/context/src/$n; done
          { for n in 1 2 3 4 5; do printf 'RUN echo %s > /made-%s\\nCOPY src /srv/%s\\nENV N%s=%s\\nWORKDIR /srv/%s\\n' $n $n $n $n $n $n; done; } >> $T/context/Dockerfile`,
        ours: '$PLY build -q --root $T/builds $T/context',
        theirs: 'bld bud -q --layers --isolation chroot -t bench-built $T/context',
        before: true,
      }),
    ratios: (results) => [
      { what: 'wall time, of buildah', value: of(results, 'ply').wall / of(results, 'buildah').wall, limit: 1 / 3 },
      { what: 'CPU, of buildah', value: of(results, 'ply').cpu / of(results, 'buildah').cpu, limit: 1 },
    ],
  },
  {
    name: 'build: COPY of 50,000 files',
    about: ['The first build of a context of 50,000 files of 2 KB in 500 directories, on nothing.', ''],
    contenders: ({ images }) =>
      builders(images, {
        context:
          'node $BENCH/inside/many-files.mjs $T/context/src 500 100; printf "FROM scratch\\nCOPY src /src\\n" > $T/context/Dockerfile',
        ours: '$PLY build -q --root $T/fresh $T/context',
        theirs: 'bld bud -q --no-cache --isolation chroot -t bench-built $T/context',
        fresh: 'rm -rf $T/fresh',
      }),
    ratios: (results) => [
      { what: 'wall time, of buildah', value: of(results, 'ply').wall / of(results, 'buildah').wall, limit: 1 / 2 },
      { what: 'CPU, of buildah', value: of(results, 'ply').cpu / of(results, 'buildah').cpu, limit: 1 },
    ],
  },
  {
    name: 'build: RUN true',
    about: [
      'Ten times `RUN true`, without what was built before, less the same build without them: what a step costs that does nothing. buildah by runc as we, and',
      'by chroot, which makes no container.',
      '',
    ],
    contenders: ({ images }) =>
      [10, 0].flatMap((steps) =>
        builders(images, {
          context: `for n in $(seq ${steps}); do echo "RUN true $n"; done >> $T/context/Dockerfile; echo 'ENV A=1' >> $T/context/Dockerfile`,
          ours: '$PLY build -q --no-cache --root $T/builds $T/context',
          theirs: 'bld bud -q --layers --no-cache --isolation oci --runtime runc -t bench-built $T/context',
          more: { 'buildah, chroot': 'bld bud -q --layers --no-cache --isolation chroot -t bench-built $T/context' },
          suffix: `, ${steps} steps`,
        }),
      ),
    ratios(results) {
      const step = (name) => (of(results, `${name}, 10 steps`).wall - of(results, `${name}, 0 steps`).wall) / 10
      return [
        { what: 'wall time of a step', value: step('ply') * 1000, limit: 1000, unit: ' ms' },
        { what: 'wall time of a step, of buildah', value: step('ply') / step('buildah'), limit: 1 / 2 },
        { what: 'wall time of a step, of buildah by chroot', value: step('ply') / step('buildah, chroot'), limit: 1 },
      ]
    },
  },
  {
    name: 'build: 1 GB of context with one changed file',
    about: ['1,000 files of 1 MB, built before; one of them is another now. The target is for finding that out.', ''],
    contenders: ({ images }) => {
      const [ours] = builders(images, {
        context:
          'node $BENCH/inside/many-files.mjs $T/context/src 10 100 1048576; sleep 3; printf "FROM scratch\\nCOPY src /src\\n" > $T/context/Dockerfile',
        ours: '$PLY build -q --root $T/builds $T/context',
        theirs: 'true',
        before: true,
      })
      return [
        ours,
        {
          ...ours,
          name: 'ply, one changed',
          command: 'echo $RANDOM > $T/context/src/3/7; node $BENCH/inside/context-digest.mjs $T/builds $T/context',
        },
      ]
    },
    ratios: (results) => [
      {
        what: 'wall time of the whole build where nothing has changed',
        value: of(results, 'ply').wall,
        limit: 1,
        unit: ' s',
      },
      {
        what: 'wall time of hashing again with one changed',
        value: of(results, 'ply, one changed').wall,
        limit: 1,
        unit: ' s',
      },
    ],
  },
]

/** A build by ply and by buildah, on the small Debian. */
function builders(images, { context, ours, theirs, more = {}, before = false, fresh = 'true', suffix = '' }) {
  const oci = `oci:${images}/debian/oci:latest`
  const base = `printf 'FROM localhost/bench-debian:1\\n' > $T/context/Dockerfile`
  const made = `rm -rf $T/context; mkdir -p $T/context; ${base}; ${context}; ${fresh}`
  const loadOurs = `[ -e $T/builds ] || $PLY load ${oci} -t localhost/bench-debian:1 -q --root $T/builds > /dev/null`
  const loadTheirs = `bld images -q localhost/bench-debian:1 2> /dev/null | grep -q . || bld tag $(bld pull -q ${oci}) localhost/bench-debian:1`
  const contender = (name, load, command) => ({
    name: `${name}${suffix}`,
    setup: `${made}; ${load}${before ? `; ${command} > /dev/null 2>&1` : ''}`,
    command: `${command} > /dev/null`,
  })
  return [
    contender('ply', loadOurs, ours),
    contender('buildah', loadTheirs, theirs),
    ...Object.entries(more).map(([name, command]) => contender(name, loadTheirs, command)),
  ]
}
