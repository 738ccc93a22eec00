import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Somebody whom every Debian knows by a name, and who is nobody's owner of last resort. */
export const ordinary = { uid: 1, gid: 1, name: 'daemon' }

/** As many as a user is given by default. */
const subordinates = `${ordinary.name}:100000:65536\n`

/**
 * An ordinary user in a mount namespace where the FUSE device is everybody's: it is mounted over there, since on most machines that run
 * tests it is root's. Needs root, who starts things as this user.
 */
export class OrdinaryUser implements AsyncDisposable {
  readonly #holder: ChildProcess

  private constructor(holder: ChildProcess) {
    this.#holder = holder
  }

  /**
   * @param folder a directory that is written to
   * @param hasOthers whether this user has users of its own to give to namespaces
   */
  static async in(folder: string, { hasOthers }: { readonly hasOthers: boolean }): Promise<OrdinaryUser> {
    const place = join(folder, 'ordinary-user')
    mkdirSync(join(place, 'dev'), { recursive: true })
    writeFileSync(join(place, 'ids'), hasOthers ? subordinates : '')
    const script = `
      mount -t tmpfs none dev && mknod -m 0666 dev/fuse c 10 229 && mount --bind dev/fuse /dev/fuse && umount -l dev
      for file in /etc/subuid /etc/subgid; do touch $file; mount --bind ids $file; done
      # What others have mounted meanwhile would stay as long as this namespace.
      awk '/ - [^ ]+ ply/ { print $5 }' /proc/self/mountinfo | xargs -r -n 1 umount -l
      echo there; exec cat`
    // It lives as long as its input, and with it the namespace, but for what is left running in it.
    const holder = spawn('unshare', ['--mount', 'sh', '-euc', script], {
      cwd: place,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const ended = once(holder, 'exit').then(([status]) => {
      throw new Error(`there is no namespace with a device: exit ${status}`)
    })
    await Promise.race([once(holder.stdout!, 'data'), ended])
    ended.catch(() => {})
    return new OrdinaryUser(holder)
  }

  /** The words that start a program there as this user, without any capability; with `namespaces`: in the user and mount namespaces of a process. */
  words(namespaces?: number): string[] {
    const inner = ['--user', '--mount', '--preserve-credentials']
    return [
      ...['nsenter', `--target=${this.#holder.pid}`, '--mount'],
      ...['setpriv', `--reuid=${ordinary.uid}`, `--regid=${ordinary.gid}`, '--clear-groups', '--inh-caps=-all'],
      ...(namespaces === undefined ? [] : ['nsenter', `--target=${namespaces}`, ...inner]),
    ]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return
    const ended = once(this.#holder, 'exit')
    this.#holder.stdin!.end()
    await ended
  }
}
