import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { servingFlags } from '../../src/mount/serving-flags.ts'

test('this Node knows the flags that it serves mounts with, and another one is told none that it may not know', () => {
  const { status, stderr } = spawnSync(process.execPath, [...servingFlags(), '-e', '0'], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(servingFlags('11.3.244.8-node.38')).toEqual(['--v8-pool-size=1', '--interrupt-budget=20000'])
  expect(servingFlags('99.0.1')).toEqual(['--v8-pool-size=1'])
})
