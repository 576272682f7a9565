import { closeSync } from 'node:fs'
import koffi from 'koffi'
import { CLOEXEC, check, libc } from './libc.ts'

const AF_INET = 2
const SOCK_DGRAM = 2
const SIOCETHTOOL = 0x8946
const ETHTOOL_GTXCSUM = 0x16
const ETHTOOL_STXCSUM = 0x17
const IFREQ_BYTES = 40
const NAME_BYTES = 16

/**
 * Turns a device's transmit checksum offload on or off. Without it the kernel also gives up segmentation offload,
 * which needs it. OVS' userspace datapath needs it off: it would forward packets whose checksum nobody has computed.
 */
export function setChecksumOffload(device: string, isOn: boolean): void {
  ethtool(`checksumOffload ${device} ${isOn ? 'on' : 'off'}`, device, [ETHTOOL_STXCSUM, isOn ? 1 : 0])
}

export function hasChecksumOffload(device: string): boolean {
  return ethtool(`checksumOffload ${device}`, device, [ETHTOOL_GTXCSUM, 0]) !== 0
}

/** An ethtool command of the form ethtool_value; returns the value as the kernel left it. */
function ethtool(what: string, device: string, [number, value]: readonly [number, number]): number {
  const command = Buffer.alloc(8)
  command.writeUInt32LE(number, 0)
  command.writeUInt32LE(value, 4)
  const request = Buffer.alloc(IFREQ_BYTES)
  request.write(device.slice(0, NAME_BYTES - 1), 0, 'latin1')
  request.writeBigUInt64LE(koffi.address(command), NAME_BYTES)
  const fd = check(what, libc().socket(AF_INET, SOCK_DGRAM | CLOEXEC, 0))
  try {
    check(what, libc().ioctl(fd, SIOCETHTOOL, request))
  } finally {
    closeSync(fd)
  }
  return command.readUInt32LE(4)
}
