import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { connect, createServer, Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import type { Operation, Route } from '../../src/kernel/kernel.ts'
import { createKernel, type LinuxKernel } from '../../src/kernel/linux.ts'
import { ip, makeNetns, removeNetns } from '../support/netns.ts'

const openFiles = (): number => readdirSync('/proc/self/fd').length
const threadNamespaces = (): Set<string> =>
  new Set(readdirSync('/proc/self/task').map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`)))

describe('the worker threads', () => {
  let kernel: LinuxKernel
  let netns: string

  beforeEach(async () => {
    kernel = createKernel()
    netns = await makeNetns()
  })
  afterEach(async () => {
    await kernel.close()
    await removeNetns(netns)
  })

  it('take two hundred pairs in and out and leave nothing: no links, no files, no thread elsewhere', async () => {
    const home = readlinkSync('/proc/self/ns/net')
    const veth = (at: number): Operation => ({
      op: 'ensureVeth',
      name: `h${at}`,
      peer: { name: `p${at}`, netns },
      isUp: true,
      group: 4242,
    })
    await kernel.links(netns)
    await kernel.apply(undefined, [{ op: 'deleteLinkGroup', group: 4242 }])
    const [filesBefore, linksBefore] = [openFiles(), await kernel.links(undefined)]
    await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        await kernel.apply(undefined, [veth(at)])
        await kernel.apply(netns, [
          { op: 'setLink', name: `p${at}`, isUp: true },
          { op: 'ensureAddress', device: `p${at}`, address: `10.1.${at}.1/32` },
        ])
      }),
    )
    expect((await kernel.addresses(netns)).filter((each) => each.family === 4)).toHaveLength(200)
    await kernel.apply(undefined, [{ op: 'deleteLinkGroup', group: 4242 }])
    expect((await kernel.links(netns)).map((link) => link.name)).toEqual(['lo'])
    expect(await kernel.links(undefined)).toEqual(linksBefore)
    expect(openFiles()).toBe(filesBefore)
    expect([...threadNamespaces()]).toEqual([home])
  })

  it('go on after a namespace died in the middle of its use', async () => {
    await kernel.apply(netns, [{ op: 'ensureBridge', name: 'br0' }])
    await removeNetns(netns)
    await expect(kernel.links(netns)).rejects.toMatchObject({ code: 'ENOENT', fix: expect.stringContaining('gone') })
    expect((await kernel.links(undefined)).map((link) => link.name)).toContain('lo')
  })

  it('say that a file is not a network namespace', async () => {
    await expect(kernel.links('/proc/self/ns/mnt')).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining('not a network namespace'),
    })
  })

  it('do not make an ADD wait for a DEL', async () => {
    await kernel.apply(netns, [{ op: 'ensureVeth', name: 'a', peer: { name: 'b', netns } }])
    await kernel.apply(netns, [{ op: 'deleteLink', name: 'none' }])
    const order: string[] = []
    await Promise.all([
      kernel.apply(netns, [{ op: 'deleteLink', name: 'a' }]).then(() => order.push('delete')),
      kernel.readSysctl(netns, 'net/ipv4/ip_forward').then(() => order.push('read')),
    ])
    expect(order).toEqual(['read', 'delete'])
  })

  it('read a sysctl of the namespace, not of the process', async () => {
    const key = 'net/ipv4/ip_forward'
    const own = await kernel.readSysctl(undefined, key)
    const other = own === '1' ? '0' : '1'
    await kernel.apply(netns, [{ op: 'sysctl', key, value: other }])
    expect(await kernel.readSysctl(netns, key)).toBe(other)
    expect((await exec('nsenter', [`--net=${netns}`, 'cat', `/proc/sys/${key}`])).stdout).toBe(`${other}\n`)
    expect(await kernel.readSysctl(undefined, key)).toBe(own)
  })

  it('open sockets inside a namespace that serve this process and speak for it', async () => {
    await kernel.apply(netns, [
      { op: 'ensureVeth', name: 'in0', peer: { name: 'out0', netns: undefined } },
      { op: 'setLink', name: 'lo', isUp: true },
      { op: 'setLink', name: 'in0', isUp: true },
      { op: 'ensureAddress', device: 'in0', address: '10.7.0.2/24' },
    ])
    await kernel.apply(undefined, [
      { op: 'setLink', name: 'out0', isUp: true },
      { op: 'ensureAddress', device: 'out0', address: '10.7.0.1/24' },
    ])
    const fd = await kernel.listenTcp(netns, '10.7.0.2', 6443)
    await expect(kernel.listenTcp(netns, '10.7.0.2', 6443)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    const server = createServer((socket) => socket.end('hello')).listen({ fd })
    const client = connect(6443, '10.7.0.2')
    const [data] = (await once(client, 'data')) as [Buffer]
    expect(data.toString()).toBe('hello')
    client.destroy()
    const fromInside = new Socket({ fd: await kernel.connectTcp(netns, '10.7.0.2', 6443) })
    expect(String((await once(fromInside, 'data'))[0])).toBe('hello')
    expect(fromInside.localAddress).toBe('10.7.0.2')
    fromInside.destroy()
    server.close()
    const toNobody = new Socket({ fd: await kernel.connectTcp(netns, '10.7.0.2', 6444) })
    await expect(once(toNobody, 'data')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await kernel.apply(undefined, [{ op: 'deleteLink', name: 'out0' }])
  })

  it('give memory back that the process has freed, without disturbing the requests beside it', async () => {
    const links = Array.from({ length: 20 }, () => kernel.links(netns))
    await kernel.returnMemory()
    for (const found of await Promise.all(links)) expect(found.map(({ name }) => name)).toEqual(['lo'])
  })

  it('watch several namespaces, see what `ip` does, and learn the names of new devices', async () => {
    const other = await makeNetns()
    const seen: string[] = []
    const watchOf = (path: string, name: string) =>
      kernel.watch(
        path,
        (event) => {
          const { destination, device } = event.object as Route
          if (event.kind === 'route' && destination.startsWith('10.'))
            seen.push(`${name} ${event.action} ${destination} ${device}`)
        },
        () => seen.push('resync'),
      )
    const watches = [watchOf(netns, 'one'), watchOf(other, 'two')]
    await Promise.all(watches.map((watch) => watch.ready))
    for (const path of [netns, other]) {
      await ip(path, 'link', 'add', 'br7', 'up', 'type', 'bridge')
      await ip(path, 'route', 'add', '10.9.0.0/16', 'dev', 'br7')
      await ip(path, 'link', 'delete', 'br7')
    }
    await expect.poll(() => seen.length, { timeout: 3000 }).toBeGreaterThanOrEqual(2)
    expect(seen).toContain('one new 10.9.0.0/16 br7')
    expect(seen).toContain('two new 10.9.0.0/16 br7')
    await Promise.all(watches.map((watch) => watch.close()))
    await removeNetns(other)
  })

  it('ask for a resync when the kernel had to drop events, and go on', async () => {
    const small = createKernel({ watchBufferBytes: 1 })
    const seen: string[] = []
    const watch = small.watch(
      netns,
      (event) => seen.push(event.kind),
      () => seen.push('resync'),
    )
    await watch.ready
    const lines = Array.from({ length: 300 }, (_, at) => `addr add fd00:9::${at + 1}/64 dev drop0 nodad`)
    const setUp = ['link add drop0 type veth peer name drop1', 'link set drop0 up', 'link set drop1 up', ...lines]
    await exec('nsenter', [`--net=${netns}`, 'ip', '-batch', '-'], { input: setUp.join('\n') })
    // All addresses and their routes go in one call to the kernel: nobody reads as fast as it tells.
    await ip(netns, 'link', 'delete', 'drop0')
    await expect.poll(() => seen.includes('resync'), { timeout: 3000 }).toBe(true)
    await expect
      .poll(
        async () => {
          await ip(netns, 'rule', 'add', 'priority', '77', 'lookup', 'main')
          await ip(netns, 'rule', 'delete', 'priority', '77')
          return seen.includes('rule')
        },
        { timeout: 3000 },
      )
      .toBe(true)
    await watch.close()
    await small.close()
  })
})
