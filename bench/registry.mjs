// Debian's docker-registry on loopback, for as long as this process lives. Its blobs lie in a directory.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Answers `HOST:PORT` once it listens. The same directory and port give the same registry. */
export function loopbackRegistry(directory, port = 5123) {
  mkdirSync(directory, { recursive: true })
  const config = join(directory, 'config.yml')
  writeFileSync(
    config,
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${join(directory, 'data')}}, delete: {enabled: true}}
http: {addr: '127.0.0.1:${port}'}
`,
  )
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' })
  child.unref()
  const stop = () => child.kill('SIGKILL')
  process.once('exit', stop)
  execFileSync('bash', [
    '-c',
    `for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && exit 0; sleep 0.1; done; exit 1`,
  ])
  return {
    host: `127.0.0.1:${port}`,
    stop() {
      process.off('exit', stop)
      stop()
    },
  }
}
