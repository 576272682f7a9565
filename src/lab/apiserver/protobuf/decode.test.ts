import { describe, expect, it } from 'vitest'
import { decodeProtobuf } from './decode.ts'

/** One field: varint or length-delimited. */
function field(number: number, value: number | string | Buffer): Buffer {
  if (typeof value === 'number') return Buffer.from([number << 3, value])
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}

function envelope(apiVersion: string, kind: string, raw: Buffer): Buffer {
  const type = Buffer.concat([field(1, apiVersion), field(2, kind)])
  return Buffer.concat([Buffer.from('k8s\0'), field(1, type), field(2, raw)])
}

describe('a protobuf body', () => {
  it('becomes the object that it stands for, with maps, lists, numbers and bytes', () => {
    const metadata = Buffer.concat([field(1, 'web'), field(11, Buffer.concat([field(1, 'app'), field(2, 'x')]))])
    const port = Buffer.concat([field(3, 80), field(4, Buffer.concat([field(1, 0), field(2, 81)]))])
    const service = Buffer.concat([
      field(1, metadata),
      field(2, Buffer.concat([field(1, port), field(4, 'ClusterIP')])),
    ])
    expect(decodeProtobuf(envelope('v1', 'Service', service))).toEqual({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', labels: { app: 'x' } },
      spec: { type: 'ClusterIP', ports: [{ port: 80, targetPort: 81 }] },
    })
  })

  it('of a kind that is not known is refused with the way out', () => {
    expect(() => decodeProtobuf(envelope('apps/v1', 'Deployment', Buffer.alloc(0)))).toThrow(
      /Deployment.*kubectl apply/,
    )
  })

  it.each([
    ['no magic', Buffer.from('{"a":1}')],
    ['a length beyond the end', Buffer.from([...Buffer.from('k8s\0'), 0x0a, 0x7f, 1])],
    ['a varint without end', Buffer.from([...Buffer.from('k8s\0'), 0x08, 0xff, 0xff])],
  ])('with %s is refused with 400', (_what, bytes) => {
    expect(() => decodeProtobuf(bytes)).toThrow(expect.objectContaining({ code: 400 }))
  })
})
