import type { Operation } from '../../model/operation.ts'
import { convertUpper } from '../../overlay/convert.ts'
import { type Grounds, openBelow } from './upper-stack.ts'
import type { UpperForm, UpperRecord } from './uppers.ts'

/** A new upper of another form that says the same as this one, on the disk. Nothing of it is left if that fails. */
export async function convertedUpper(
  grounds: Grounds,
  stands: UpperRecord,
  form: UpperForm,
  operation: Operation,
): Promise<UpperRecord> {
  const { uppers } = grounds
  const { parent, chainId, manifest } = stands
  const made = uppers.create({ parent, form, chainId, manifest })
  try {
    const { tree, levels } = await openBelow(grounds, stands, operation)
    const below = levels.map(({ upper }) => upper)
    try {
      const from = uppers.open(stands, { readOnly: true, below })
      try {
        const to = uppers.open(made, { readOnly: false, below })
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
