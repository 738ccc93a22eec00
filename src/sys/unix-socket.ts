import { closeSync } from 'node:fs'
import { koffi, lastErrno, libc, systemError } from './libc.ts'

const unixFamily = 1
const stream = 1
const closeOnExec = 0x80000
const solSocket = 1
const scmRights = 1
const dontWait = 0x40
const controlCloseOnExec = 0x40000000
const eagain = 11
const eintr = 4

const duplicateAbove = 1030

const fcntl = libc('int fcntl(int, int, int)')
const socketpair = libc('int socketpair(int, int, int, void*)')
const recvmsg = libc('long recvmsg(int, void*, int)')

/** Two ends of a connection inside the machine; both close on exec. @throws EMFILE, ENFILE; PLY_NO_NATIVE */
export function socketPair(): readonly [number, number] {
  const ends = Buffer.alloc(8)
  if (socketpair(unixFamily, stream | closeOnExec, 0, ends) !== 0) throw systemError('socketpair', lastErrno())
  return [ends.readInt32LE(0), ends.readInt32LE(4)]
}

/**
 * Takes a descriptor that somebody sends with a byte (`SCM_RIGHTS`), if it is there already: it closes on exec. `closed` says that the
 * other end is closed and none will come. For 64-bit machines that are little-endian.
 *
 * @throws EIO for a message without its descriptor, as it comes where no more can be open; ECONNRESET
 */
export function receiveDescriptor(socket: number): number | 'closed' | undefined {
  const { address } = koffi('recvmsg')
  const byte = Buffer.alloc(1)
  const control = Buffer.alloc(24)
  const vector = Buffer.alloc(16)
  vector.writeBigUInt64LE(address(byte), 0)
  vector.writeBigUInt64LE(1n, 8)
  const message = Buffer.alloc(56)
  message.writeBigUInt64LE(address(vector), 16)
  message.writeBigUInt64LE(1n, 24)
  message.writeBigUInt64LE(address(control), 32)
  message.writeBigUInt64LE(BigInt(control.length), 40)
  const length = Number(recvmsg(socket, message, dontWait | controlCloseOnExec))
  if (length < 0) {
    const errno = lastErrno()
    if (errno === eagain || errno === eintr) return undefined
    throw systemError('recvmsg', errno)
  }
  if (length === 0) return 'closed'
  const isDescriptor = control.readUInt32LE(8) === solSocket && control.readUInt32LE(12) === scmRights
  if (message.readBigUInt64LE(40) < 20n || !isDescriptor) throw systemError('recvmsg', 5)
  return control.readInt32LE(16)
}

/**
 * Moves a descriptor to a higher number than another one has: when a process dies its descriptors are closed in the order of their numbers.
 * Answers with the new one; the old one is closed. @throws EMFILE
 */
export function movedAbove(descriptor: number, other: number): number {
  if (descriptor > other) return descriptor
  const moved = Number(fcntl(descriptor, duplicateAbove, other + 1))
  if (moved < 0) throw systemError('fcntl', lastErrno())
  closeSync(descriptor)
  return moved
}
