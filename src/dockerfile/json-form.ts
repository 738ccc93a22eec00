/**
 * The words of a JSON array; `undefined` for what is none, which is then read as words or as a command of a shell.
 *
 * @throws Error for an array of anything but strings
 */
export function jsonForm(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(parsed)) return undefined
  if (parsed.some((one) => typeof one !== 'string')) throw new Error('an array in this place holds strings only')
  return parsed as string[]
}
