import { describe, expect, it } from 'vitest'
import { capabilitiesFor } from './capabilities.ts'
import { getImage, type Image } from './image.ts'
import { buildOciSpec, type ContainerSpec } from './oci-spec.ts'

const spec: ContainerSpec = {
  id: 'x',
  rootfs: '/r',
  args: ['sh'],
  env: [],
  cwd: '/',
  isTerminal: false,
  user: { uid: 0, gid: 0, additionalGids: [] },
  isPrivileged: false,
  isReadOnly: false,
  addedCapabilities: [],
  droppedCapabilities: [],
  noNewPrivileges: false,
  namespaces: { ipc: '/i', netns: '/n', uts: '/u' },
  sharesHostPid: false,
  binds: [{ source: '/s', destination: '/d', isReadOnly: true }],
}

interface Built {
  process: { capabilities: Record<string, string[]> }
  mounts: { destination: string; options: string[] }[]
  linux: { namespaces: { type: string; path?: string }[]; readonlyPaths?: string[] }
}

function build(change: Partial<ContainerSpec>): Built {
  return buildOciSpec({ ...spec, ...change }) as Built
}

describe('buildOciSpec', () => {
  it('joins the namespaces of the sandbox and makes its own of the others', () => {
    expect(build({}).linux.namespaces).toEqual([
      { type: 'mount' },
      { type: 'pid' },
      { type: 'ipc', path: '/i' },
      { type: 'network', path: '/n' },
      { type: 'uts', path: '/u' },
    ])
    expect(build({ namespaces: { ipc: '/i' } }).linux.namespaces.map(({ type }) => type)).toEqual([
      'mount',
      'pid',
      'ipc',
    ])
  })

  it('binds what it is given, read-only where asked', () => {
    expect(build({}).mounts.at(-1)).toMatchObject({ destination: '/d', options: ['rbind', 'rprivate', 'ro'] })
  })

  it('leaves nothing read-only or masked for a privileged container', () => {
    expect(build({}).linux.readonlyPaths).toContain('/proc/sys')
    const { linux, mounts } = build({ isPrivileged: true })
    expect(linux.readonlyPaths).toBeUndefined()
    expect(mounts.find(({ destination }) => destination === '/sys')?.options).toContain('rw')
  })

  it('gives a user other than root no capability in effect', () => {
    const { capabilities } = build({ user: { uid: 1000, gid: 0, additionalGids: [] } }).process
    expect(capabilities.effective).toEqual([])
    expect(capabilities.bounding).toContain('CAP_NET_RAW')
  })
})

describe('capabilitiesFor', () => {
  const of = (added: string[], dropped: string[]) =>
    capabilitiesFor({ isPrivileged: false, addedCapabilities: added, droppedCapabilities: dropped })

  it('grants ping by default, but not administration of the network', () => {
    expect(of([], [])).toContain('CAP_NET_RAW')
    expect(of([], [])).not.toContain('CAP_NET_ADMIN')
  })

  it('adds and drops by name, with or without CAP_', () => {
    expect(of(['CAP_NET_ADMIN'], ['NET_RAW'])).toEqual(expect.arrayContaining(['CAP_NET_ADMIN']))
    expect(of([], ['NET_RAW'])).not.toContain('CAP_NET_RAW')
    expect(of(['NET_RAW'], ['ALL'])).toEqual(['CAP_NET_RAW'])
    expect(of(['ALL'], [])).toContain('CAP_SYS_ADMIN')
  })
})

describe('getImage', () => {
  const image = { repository: 'docker.io/library/busybox' } as Image

  it.each(['busybox', 'busybox:1.28', 'library/busybox', 'docker.io/library/busybox:latest', 'busybox@sha256:00'])(
    'finds busybox under the name %s',
    (name) => {
      expect(getImage([image], name)).toBe(image)
    },
  )

  it.each(['nginx', 'example.com/busybox', 'mine/busybox:1', 'localhost:5000/busybox'])(
    'does not take %s for it',
    (name) => {
      expect(() => getImage([image], name)).toThrow('the images of the lab are: busybox')
    },
  )
})
