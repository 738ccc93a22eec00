import type { Ability } from '../mount/abilities.ts'
import { type CommandNamespace, namespaceOfCommand } from '../mount/command.ts'
import { installed, type Runtime } from './runtime.ts'

/** What running commands in containers takes, and whether it is here. */
export interface RunAbilities {
  /** One of them is enough. */
  readonly runtimes: Readonly<Record<'runc' | 'crun' | 'bwrap', Ability>>
  /** Whether commands of a container may be, and have files of, somebody else than its root. */
  readonly users: Ability
}

const able: Ability = { able: true }
/** What may have closed the namespaces, which the kernel does not say. */
export const openNamespaces =
  'not in a chroot, nor in a container that forbids them; for an ordinary user root opens them with sysctl kernel.unprivileged_userns_clone=1 (and kernel.apparmor_restrict_unprivileged_userns=0)'
export const moreUsers =
  'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER (and newuidmap, package uidmap)'

export function closedNamespaces({ refused }: CommandNamespace): string {
  return `namespaces are closed here${refused === undefined ? '' : ` (${refused})`}`
}

/** Asks the machine what it has to run commands in containers with: a runtime, and the namespaces that this user may enter. */
export function runAbilities(): RunAbilities {
  return abilitiesIn(process.env, namespaceOfCommand())
}

export function abilitiesIn(environment: NodeJS.ProcessEnv, namespace: CommandNamespace): RunAbilities {
  const closed: Ability | undefined =
    namespace.enter.length > 0 ? undefined : { able: false, why: closedNamespaces(namespace), more: openNamespaces }
  const by = (name: Runtime['name'], more: string): Ability =>
    installed(name, environment) === undefined ? { able: false, why: `there is no ${name}`, more } : (closed ?? able)
  return {
    runtimes: {
      runc: by('runc', 'install the package runc'),
      crun: by('crun', 'install the package crun'),
      bwrap: by('bwrap', 'install the package bubblewrap'),
    },
    users:
      closed ??
      (namespace.owners === 'root'
        ? { able: false, why: 'this user has root alone in a namespace', more: `as root: ${moreUsers}` }
        : able),
  }
}
