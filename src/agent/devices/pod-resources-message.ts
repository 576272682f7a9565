/**
 * What of the answer of `v1.PodResourcesLister/List` concerns devices (field numbers: k8s.io/kubelet,
 * pkg/apis/podresources/v1/api.proto). Unknown fields are passed over, as protobuf asks.
 */
export interface PodResourcesEntry {
  readonly name: string
  readonly namespace: string
  readonly devices: readonly { readonly resourceName: string; readonly ids: readonly string[] }[]
}

/** Throws RangeError when the bytes are not such a message. */
export function decodeListResponse(bytes: Buffer): PodResourcesEntry[] {
  return messagesOf(bytes, 1).map((pod) => ({
    name: textsOf(pod, 1)[0] ?? '',
    namespace: textsOf(pod, 2)[0] ?? '',
    devices: messagesOf(pod, 3)
      .flatMap((container) => messagesOf(container, 2))
      .map((device) => ({ resourceName: textsOf(device, 1)[0] ?? '', ids: textsOf(device, 2) })),
  }))
}

function textsOf(bytes: Buffer, field: number): string[] {
  return messagesOf(bytes, field).map((value) => value.toString('utf8'))
}

/** Contents of every length-delimited field of this number. */
function messagesOf(bytes: Buffer, field: number): Buffer[] {
  const found: Buffer[] = []
  let offset = 0
  while (offset < bytes.length) {
    const tag = readVarint(bytes, offset)
    const [wireType, number] = [tag.value & 7, tag.value >>> 3]
    const value = readValue(bytes, tag.end, wireType)
    if (wireType === 2 && number === field) found.push(bytes.subarray(value.start, value.end))
    offset = value.end
  }
  return found
}

function readValue(bytes: Buffer, offset: number, wireType: number): { start: number; end: number } {
  if (wireType === 2) {
    const length = readVarint(bytes, offset)
    return within(bytes, length.end, length.end + length.value)
  }
  if (wireType === 0) return { start: offset, end: readVarint(bytes, offset).end }
  if (wireType === 1) return within(bytes, offset, offset + 8)
  if (wireType === 5) return within(bytes, offset, offset + 4)
  throw new RangeError(`protobuf wire type ${wireType} at byte ${offset} is unknown`)
}

function within(bytes: Buffer, start: number, end: number): { start: number; end: number } {
  if (end <= bytes.length) return { start, end }
  throw new RangeError(`protobuf field at byte ${start} ends behind the message`)
}

/** Lengths and tags fit into 32 bits; of a longer number only the end is of interest. */
function readVarint(bytes: Buffer, offset: number): { value: number; end: number } {
  let value = 0
  for (let at = offset; at < Math.min(offset + 10, bytes.length); at++) {
    const byte = bytes[at] ?? 0
    value += (byte & 0x7f) * 2 ** (7 * (at - offset))
    if (byte < 0x80) return { value, end: at + 1 }
  }
  throw new RangeError(`protobuf number at byte ${offset} does not end`)
}
