import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makePrivate, sweepLeftBehind } from '../../src/extract/left-behind.ts'
import { emptyWhole, removeWhole } from '../../src/extract/remove-whole.ts'
import { becomeNobody, becomeRoot, root, testIf } from '../support/ability.ts'
import { temporary } from '../support/temporary.ts'

test('what a process that was killed has left behind goes, and what is being filled stays', async () => {
  const place = temporary()
  const filling = makePrivate(place)
  for (const name of ['.ply-extract-abcdef/deep/er', '.ply-extract-other', 'mine'])
    fs.mkdirSync(join(place, name), { recursive: true })
  fs.writeFileSync(join(place, '.ply-extract-123456'), 'a file')
  fs.symlinkSync('mine', join(place, '.ply-extract-symlin'))
  await sweepLeftBehind(place)
  expect(fs.readdirSync(place).sort()).toEqual(
    [
      filling.path.slice(place.length + 1),
      '.ply-extract-123456',
      '.ply-extract-other',
      '.ply-extract-symlin',
      'mine',
    ].sort(),
  )
  filling.letGo()
  filling.letGo()
  await sweepLeftBehind(place)
  expect(fs.existsSync(filling.path)).toBe(false)
  await sweepLeftBehind(join(place, 'missing'))
})

testIf(root, 'only root has others beside it')('what belongs to others stays', async () => {
  const place = temporary()
  fs.chmodSync(place, 0o777)
  fs.mkdirSync(join(place, '.ply-extract-abcdef'))
  becomeNobody()
  try {
    await sweepLeftBehind(place)
  } finally {
    becomeRoot()
  }
  expect(fs.readdirSync(place)).toEqual(['.ply-extract-abcdef'])
})

test('a directory is emptied whatever is in it: closed and deep ones, odd names, symlinks to what stays', async () => {
  const place = temporary()
  const kept = join(place, 'kept')
  fs.mkdirSync(kept)
  fs.writeFileSync(join(kept, 'file'), 'x')
  const doomed = join(place, 'doomed')
  fs.mkdirSync(join(doomed, 'closed/in/it'), { recursive: true })
  fs.writeFileSync(join(doomed, 'closed/in/it/file'), '')
  fs.symlinkSync(kept, join(doomed, 'link'))
  fs.symlinkSync('../../kept', join(doomed, 'closed/link'))
  fs.writeFileSync(Buffer.concat([Buffer.from(`${doomed}/`), Buffer.from([0xff, 0x0a, 0x27])]), '')
  fs.linkSync(join(kept, 'file'), join(doomed, 'hard'))
  // Deeper than a path can be.
  execFileSync(
    'bash',
    ['-c', 'for i in $(seq 60); do n=$(printf "%0.sx" $(seq 200)); mkdir $n; cd -P $n; done; echo x > file'],
    { cwd: doomed },
  )
  fs.chmodSync(join(doomed, 'closed/in'), 0)
  await emptyWhole(doomed)
  expect(fs.readdirSync(doomed)).toEqual([])
  await removeWhole(doomed)
  await removeWhole(doomed)
  expect(fs.readdirSync(place)).toEqual(['kept'])
  expect(fs.readdirSync(kept)).toEqual(['file'])
})

test('of one in which directories are swapped for symlinks meanwhile nothing outside is touched', async () => {
  const place = temporary()
  const kept = join(place, 'kept')
  const doomed = join(place, 'doomed')
  fs.mkdirSync(kept)
  for (let i = 0; i < 500; i++) fs.writeFileSync(join(kept, `file${i}`), '')
  fs.mkdirSync(doomed)
  const swapping = spawn(
    'bash',
    [
      '-c',
      'echo; while :; do for i in 1 2 3 4 5; do mkdir d$i 2>/dev/null; mv -T d$i e$i; ln -s ../kept d$i; rm d$i; mv -T e$i d$i; done; done 2>/dev/null',
    ],
    { cwd: doomed, stdio: ['ignore', 'pipe', 'ignore'] },
  )
  await once(swapping.stdout, 'data')
  const end = Date.now() + 1500
  while (Date.now() < end)
    await emptyWhole(doomed).catch((error) =>
      expect(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENOTEMPTY', 'EPERM']).toContain(error.code),
    )
  swapping.kill('SIGKILL')
  await once(swapping, 'exit')
  expect(fs.readdirSync(kept).length).toBe(500)
})
