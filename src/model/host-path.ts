/** `C:\` and `C:/`, where paths of Windows are meant. */
const drive = /^[A-Za-z]:[\\/]/

/**
 * Where the first colon stands that is no part of a path: on Windows the one behind the letter of a drive is; elsewhere none is. -1 without one.
 *
 * @param platform whose paths are meant
 */
export function colonAfterPath(text: string, platform: NodeJS.Platform = process.platform): number {
  return text.indexOf(':', platform === 'win32' && drive.test(text) ? 2 : 0)
}
