import { parse, TomlError, type TomlTable } from 'smol-toml'
import { badDocument } from '../../model/json.ts'

export type { TomlTable, TomlValue } from 'smol-toml'

/** A file of settings nests tables a few levels deep. */
const maxDepth = 50

/**
 * A file of settings in TOML 1.0.
 *
 * @throws PLY_BAD_DOCUMENT naming the line
 */
export function parseToml(text: string, what: string): TomlTable {
  try {
    return parse(text.replace(/^\ufeff/, ''), { maxDepth, unsafeKeyBehaviour: 'throw', integersAsBigInt: 'asNeeded' })
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // Its message goes on with the lines around, which need not be shown.
    const [reason = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n', 1)
    throw badDocument(what, `line ${error.line}: ${reason}`)
  }
}
