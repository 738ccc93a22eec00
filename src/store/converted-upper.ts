import type { Operation } from '../model/operation.ts'
import { convertUpper } from '../overlay/convert.ts'
import type { Ground } from './containers.ts'
import type { UpperForm, UpperRecord } from './uppers.ts'

/** A new upper of another form that says the same as this one, on the disk. Nothing of it is left if that fails. */
export async function convertedUpper(
  { uppers, lower }: Pick<Ground, 'uppers' | 'lower'>,
  stands: UpperRecord,
  form: UpperForm,
  operation: Operation,
): Promise<UpperRecord> {
  const { parent, chainId, manifest } = stands
  const made = uppers.create({ parent, form, chainId, manifest })
  try {
    const tree = await lower(stands, operation)
    try {
      const from = uppers.open(stands, { readOnly: true })
      try {
        const to = uppers.open(made, { readOnly: false })
        try {
          await convertUpper(from, to, { ...operation, lower: tree })
        } finally {
          to.close()
        }
      } finally {
        from.close()
      }
    } finally {
      tree.close()
    }
  } catch (error) {
    uppers.remove(made.id)
    throw error
  }
  return made
}
