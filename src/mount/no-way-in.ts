import { PlyError } from '../model/errors.ts'

/** Why there can be no FUSE mount, and what to do. */
export function noWayIn(reason: string, cause?: unknown): PlyError {
  return new PlyError('PLY_UNSUPPORTED', { what: 'a FUSE mount here', reason }, { cause })
}

export function closedDevice(cause?: unknown): PlyError {
  return noWayIn(
    '/dev/fuse is closed to this user; root can open it (chmod 0666 /dev/fuse, or add this user to its group), and --via extract does without',
    cause,
  )
}
