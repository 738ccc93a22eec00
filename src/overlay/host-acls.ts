import { codeOf } from '../model/errors.ts'
import { removeXattr } from '../sys/xattr.ts'
import { accessAcl, defaultAcl } from '../union/acl.ts'

/**
 * Takes from a directory the ACLs that it has inherited from wherever the store is: what is made in it would have them, too. The kernel
 * does so with the work directory (`ovl_workdir_create`).
 */
export function dropHostAcls(directory: string): void {
  for (const acl of [defaultAcl, accessAcl]) {
    try {
      removeXattr(directory, acl)
    } catch (error) {
      const code = codeOf(error)
      if (code !== 'ENODATA' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error
    }
  }
}
