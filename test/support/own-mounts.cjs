'use strict'
// Runs before everything else in a process of tests (`execArgv` in vitest.config.ts), while no other thread of it looks at files.

const { isMainThread } = require('node:worker_threads')

const CLONE_NEWNS = 0x20000
const MS_REC_PRIVATE = 0x44000

/**
 * Gives the process a mount namespace of its own, where it may have one. Whoever makes a namespace takes all mounts along that are there
 * at that moment, and keeps them: a container is busy, rightly, because of a test that runs beside this one, or of any other program.
 */
if (isMainThread && process.getuid?.() === 0 && !process.env.PLYFS_OWN_MOUNTS) {
  const libc = require('koffi').load(null)
  const unshare = libc.func('int unshare(int)')
  const mount = libc.func('int mount(str, str, str, unsigned long, str)')
  if (unshare(CLONE_NEWNS) === 0 && mount('none', '/', null, MS_REC_PRIVATE, null) === 0)
    process.env.PLYFS_OWN_MOUNTS = 'yes'
}
