import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Launch, Runtime, Unstarted } from './runtime.ts'
import { capabilitiesGiven, maskedPaths, readOnlyPaths, type SpecOptions } from './spec.ts'

/** What of a container bubblewrap cannot do; `undefined` where it can do all of it. */
export function beyondBwrap({ identity: { uid, gid } }: Pick<SpecOptions, 'identity'>): string | undefined {
  return uid === 0 && gid === 0 ? undefined : `bwrap runs nobody but root, and this is ${uid}:${gid}`
}

/**
 * A container by bubblewrap. It has no control group, no terminal of its own, `/sys` as the host has it, and the groups of who starts it.
 *
 * @param place a directory for what it is told and what it tells
 * @param found asked when the command could not be started: what stands where it should be
 */
export function launchByBwrap(
  { path }: Runtime,
  place: string,
  spec: SpecOptions,
  found: () => 'missing' | 'program' | 'closed',
): Launch {
  const status = join(place, 'status')
  const given = join(place, 'arguments')
  // Of a command line everybody can see what is in it: variables may be secret.
  writeFileSync(given, bwrapArguments(spec).join('\0'), { mode: 0o600 })
  const opened = 'exec "$@" 3>"$0/status" 4<"$0/arguments"'
  return {
    command: ['sh', '-c', opened, place, path, '--json-status-fd', '3', '--args', '4', '--', ...spec.command],
    failure: () => failureIn(existsSync(status) ? readFileSync(status, 'utf8') : '', found),
  }
}

/** What bubblewrap is told of a container. Paths of the container are those that they are in the end: it follows no symlinks there. */
function bwrapArguments(spec: SpecOptions): readonly string[] {
  const { root, readOnly, environment, directory, hostname, network, mounts, temporary = {} } = spec
  const isDirectory = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory()
  return [
    ...['--die-with-parent', '--as-pid-1', '--unshare-pid', '--unshare-ipc', '--unshare-uts'],
    ...(network === 'none' ? ['--unshare-net'] : []),
    ...['--hostname', hostname, '--bind', root, '/', '--proc', '/proc', '--dev', '/dev', '--mqueue', '/dev/mqueue'],
    ...['--ro-bind', '/sys', '/sys'],
    ...Object.entries(temporary).flatMap(([path, options]) => temporaryOf(path, options)),
    ...mounts.flatMap(({ source, target, readOnly: closed }) => [closed ? '--ro-bind' : '--bind', source, target]),
    // Of the kernel there is only one.
    ...readOnlyPaths.filter(existsSync).flatMap((path) => ['--ro-bind', path, path]),
    ...maskedPaths
      .filter(existsSync)
      .flatMap((path) =>
        isDirectory(path) ? ['--tmpfs', path, '--remount-ro', path] : ['--ro-bind', '/dev/null', path],
      ),
    ...(readOnly ? ['--remount-ro', '/'] : []),
    ...['--cap-drop', 'ALL', ...capabilitiesGiven(spec).flatMap((name) => ['--cap-add', name])],
    '--clearenv',
    ...environment.flatMap((one) => ['--setenv', one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
    ...['--chdir', directory],
  ]
}

function temporaryOf(path: string, options: readonly string[]): string[] {
  const said = (name: string) => options.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1)
  const [mode, size] = [said('mode'), bytesOf(said('size'))]
  return [
    ...(mode === undefined ? [] : ['--perms', mode]),
    ...(size === undefined ? [] : ['--size', String(size)]),
    ...['--tmpfs', path],
  ]
}

/** As mount(8) writes sizes: `64m`. */
function bytesOf(text: string | undefined): number | undefined {
  const [, digits, unit = ''] = /^(\d+)([kmg]?)$/i.exec(text ?? '') ?? []
  return digits === undefined ? undefined : Number(digits) * 1024 ** ' kmg'.indexOf(unit.toLowerCase() || ' ')
}

/** The status has an exit code only if the command has begun. */
function failureIn(status: string, found: () => 'missing' | 'program' | 'closed'): Unstarted {
  if (/"exit-code"/.test(status)) return undefined
  // What it says of itself is on stderr already.
  const text = 'bwrap could not start it'
  const there = /"child-pid"/.test(status) ? found() : 'program'
  return { why: there === 'program' ? 'other' : there, text }
}
