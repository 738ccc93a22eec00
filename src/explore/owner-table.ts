import { type Accounts, accountsOf } from '../query/index.ts'
import type { Tree } from '../stack/tree.ts'
import { shownName } from './names.ts'
import type { Owner } from './table.ts'

/** Owners by number, each once. */
export class OwnerTable {
  readonly #numbers = new Map<string, number>()
  readonly #pairs: { readonly uid: number; readonly gid: number }[] = []

  numberOf(uid: number, gid: number): number {
    const key = `${uid}:${gid}`
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    this.#numbers.set(key, this.#pairs.length)
    return this.#pairs.push({ uid, gid }) - 1
  }

  /** With their names, as the tree itself has them. */
  namedBy(tree: Tree): readonly Owner[] {
    const { users, groups }: Accounts = accountsOf(tree)
    return this.#pairs.map(({ uid, gid }) => ({
      uid,
      gid,
      user: shownName(users.get(uid) ?? ''),
      group: shownName(groups.get(gid) ?? ''),
    }))
  }
}
