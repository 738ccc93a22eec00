import { spawnSync } from 'node:child_process'
import { beforeAll, expect, vi } from 'vitest'
import { build, memoryUpper, plainLayer, union } from '../../src/index.ts'
import { testIf } from '../support/ability.ts'
import { Mounting, whyNoMounts } from './mounting.ts'
import { shellImage } from './shell-image.ts'

vi.setConfig({ testTimeout: 180_000 })

function whyNot(): string | undefined {
  const reason = whyNoMounts()
  if (reason !== undefined) return reason
  return spawnSync('runc', ['--version']).error ? 'there is no runc' : undefined
}

const reason = whyNot()
const able = testIf(reason === undefined, reason ?? '')
const mounting = Mounting.forFile()
/** How many builds are killed; PLYFS_KILLS has more of them, with PLYFS_SEED for the moments. */
const kills = Number(process.env.PLYFS_KILLS ?? 2)
const seed = Number(process.env.PLYFS_SEED ?? 7)

beforeAll(async () => {
  if (reason !== undefined) return
  const { dockerfile, context } = shellImage()
  await mounting().fill(async (store) => {
    const files = { '/': { directory: true }, ...context } as Parameters<typeof plainLayer>[0]
    const tree = union([plainLayer(files)], memoryUpper())
    await store.write(await build(store, { context: tree, dockerfile }), 'shell:latest')
  })
}, 120_000)

able('builds at once, in processes of their own, do each step once', () => {
  const said = mounting().run(
    'root',
    `mkdir context; echo file > context/f
    printf 'FROM shell\\nRUN --mount=type=cache,target=/c echo x >> /c/n; sleep 1; echo made > /made\\nCOPY . /ctx\\n' > Dockerfile
    for i in 1 2 3; do ply build -f Dockerfile context > digest$i 2> said$i & done; wait
    cmp digest1 digest2; cmp digest1 digest3
    cat said* | grep -c 'RUN.*cached'; cat said* | grep -c 'COPY.*cached'; cat store/builds/mounts/*/n`,
  )
  expect(said).toBe('2\n2\nx\n')
})

able('a build that is killed at any moment leaves nothing that gc does not take, and the next goes on', () => {
  const said = mounting().run(
    'root',
    `mkdir context tmp; export TMPDIR=$WORK/tmp; head -c 3000000 /dev/urandom > context/f; RANDOM=${seed}
    printf 'FROM shell\\nARG N\\nRUN --mount=type=bind,target=/c echo $N > /one; cat /c/f > /copy\\nCOPY . /ctx\\nRUN cat /ctx/f > /two; echo $N > /three\\n' > Dockerfile
    for i in $(seq ${kills}); do
      "$NODE" "$BIN" build -q --build-arg N=$i -f Dockerfile context > /dev/null 2>&1 & pid=$!
      sleep $(printf 0.%03d $((RANDOM % 1000)))
      kill -9 $pid 2> /dev/null || true; wait $pid 2> /dev/null || true
      eventually 'ply gc -q > /dev/null 2>&1 && [ "$(ply ps -q)" = work ]'
      ls store/tmp; ply build -q --build-arg N=$i -f Dockerfile context > after
    done
    ply build -q --no-cache --build-arg N=$i -f Dockerfile context | cmp - after
    ls tmp; ply ps -q; ply fsck -q && echo whole`,
  )
  expect(said).toBe('work\nwhole\n')
})

able('another store takes every command from a cache, which holds no secret and no argument', () => {
  const said = mounting().run(
    'root',
    `mkdir context; echo file > context/f; printf topsecret > secret; cp -a store there
    printf 'FROM shell AS made\\nARG TOKEN\\nRUN --mount=type=secret,id=s cat /run/secrets/s > /dev/null; echo made > /made\\nRUN true\\nFROM shell\\nCOPY --from=made /made /\\nRUN rm /made\\n' > Dockerfile
    build() { ply build -f Dockerfile --secret id=s,src=secret --build-arg TOKEN=onlyhere "$@" context; }
    build --cache-to type=local,dest=cache,mode=max 2> /dev/null > digest
    build --root there --cache-from type=local,src=cache 2> said | cmp - digest; grep -c cached said
    for blob in cache/blobs/sha256/*; do zcat -f $blob; done > all; cat store/builds/*.json >> all
    grep -c 'topsecret\\|onlyhere' all || true`,
  )
  expect(said).toBe('4\n0\n')
})
