import { familyOf } from '../../base/ip.ts'
import { ipBytes, ipText } from './address.ts'
import { IFLA, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_VXLAN } from './constants.ts'
import { type Attribute, attributes, cString, decodeAttributes, u8, u16be, u32 } from './message.ts'

/** What makes a VXLAN device the one that it is; none of it can be changed in place. */
export interface VxlanIdentity {
  readonly id: number
  readonly port: number
  readonly local: string
  readonly isLearning: boolean
}

export function vxlanInfo({ id, port, local, isLearning }: VxlanIdentity): Attribute[] {
  const data = attributes(
    [IFLA_VXLAN.ID, u32(id)],
    [familyOf(local) === 4 ? IFLA_VXLAN.LOCAL : IFLA_VXLAN.LOCAL6, ipBytes(local)],
    [IFLA_VXLAN.PORT, u16be(port)],
    [IFLA_VXLAN.LEARNING, u8(isLearning ? 1 : 0)],
  )
  return attributes([IFLA_INFO_KIND, cString('vxlan')], [IFLA_INFO_DATA, data])
}

/** From the body of a link message; undefined for a device of another kind. */
export function decodeVxlan(body: Buffer): VxlanIdentity | undefined {
  const info = decodeAttributes(body.subarray(16)).get(IFLA.LINKINFO)
  const data = info === undefined ? undefined : decodeAttributes(info).get(IFLA_INFO_DATA)
  if (data === undefined) return undefined
  const found = decodeAttributes(data)
  const local = found.get(IFLA_VXLAN.LOCAL) ?? found.get(IFLA_VXLAN.LOCAL6)
  return {
    id: found.get(IFLA_VXLAN.ID)?.readUInt32LE(0) ?? 0,
    port: found.get(IFLA_VXLAN.PORT)?.readUInt16BE(0) ?? 0,
    local: local === undefined ? '' : ipText(local),
    isLearning: found.get(IFLA_VXLAN.LEARNING)?.readUInt8(0) === 1,
  }
}
