import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { waitFor } from '../../src/base/observable.ts'
import { Northbound } from '../../src/networks/ovn/cluster/northbound.ts'
import { buildTopology } from '../../src/networks/ovn/topology/build.ts'
import { planRows } from '../../src/networks/ovn/topology/plan.ts'
import { connectOvsdb } from '../../src/ovsdb/client.ts'
import { JsonRpc } from '../../src/ovsdb/jsonrpc.ts'
import { Transaction } from '../../src/ovsdb/transaction.ts'
import { eventually, OvnCluster } from '../support/ovn-cluster.ts'
import { DatabaseCluster, makePki } from '../support/ovsdb-cluster.ts'
import { canPing } from '../support/pod-traffic.ts'

interface Tables {
  Logical_Switch: { name: string }
}

describe('a cluster of three databases with TLS', () => {
  let cluster: DatabaseCluster
  /** What the client said when it connected: where, and whether it went on where it was. */
  const connections: { remote: string; isResumed: boolean }[] = []
  const log = {
    ...silentLog,
    child: () => log,
    info: (facts: object) => void connections.push(facts as (typeof connections)[0]),
  }
  const stop = new AbortController()

  const connect = (options: { isLeaderOnly?: boolean; remote?: string } = {}) =>
    connectOvsdb<Tables>({
      remote: cluster.remotes,
      database: 'OVN_Northbound',
      tables: { Logical_Switch: ['name'] },
      tls: cluster.tls,
      log,
      ...options,
    })
  let writer: ReturnType<typeof connect>

  beforeAll(async () => {
    cluster = await DatabaseCluster.start()
    writer = connect({ isLeaderOnly: true })
    await writer.start(stop.signal)
  }, 60_000)

  afterAll(async () => {
    stop.abort()
    await writer.stop()
    await cluster.close()
  }, 60_000)

  const names = (client = writer): string[] => [...client.table('Logical_Switch').rows()].map(({ name }) => name).sort()
  const portOf = (remote: string | undefined): number => Number(remote?.split(':')[2])

  /** As the controller does: what failed with the connection is looked at again, and written if it is not there. */
  async function addSwitch(name: string): Promise<void> {
    await eventually(async () => {
      try {
        if (!names().includes(name)) {
          const transaction = new Transaction<Tables>()
          transaction.insert('Logical_Switch', { name })
          await writer.transact(transaction)
        }
        return names().includes(name)
      } catch {
        return false
      }
    }, 20_000)
  }

  test('is written through its leader only', async () => {
    await addSwitch('first')
    expect(portOf(connections.at(-1)?.remote)).toBe(7200 + (cluster.leader() ?? 0))
  })

  test('is closed to who has no certificate of its authority', async () => {
    const foreign = makePki(cluster.folder, 'foreign')
    const [remote = ''] = cluster.remotes.split(',')
    const options = { timeoutMs: 3000, probeMs: 60_000 }
    const asked = (async () => {
      const rpc = await JsonRpc.connect(remote, {
        ...options,
        tls: { ...foreign, caCertificate: cluster.tls.caCertificate },
      })
      return await rpc.request('list_dbs', [])
    })()
    await expect(asked).rejects.toThrow(/the connection to ssl:127.0.0.1:7201 has ended|cannot connect/)
    await expect(JsonRpc.connect(remote, { ...options, tls: foreign })).rejects.toThrow(/cannot connect to ssl:/)
    await expect(JsonRpc.connect(remote, options)).rejects.toThrow(/needs a private key, a certificate/)
  })

  test('goes on when its leader is killed, and the copy goes on where it was', async () => {
    const before = cluster.leader() ?? 0
    await cluster.killMember(before)
    await addSwitch('second')
    const now = connections.at(-1)
    expect(portOf(now?.remote)).toBe(7200 + (cluster.leader() ?? 0))
    expect(portOf(now?.remote)).not.toBe(7200 + before)
    expect(now?.isResumed).toBe(true)
    expect(names()).toEqual(['first', 'second'])
    await cluster.startMember(before)
  }, 60_000)

  test('has its restored member back: it may lose another one then', async () => {
    const leader = cluster.leader() ?? 0
    await cluster.killMember(leader)
    await addSwitch('third')
    await cluster.startMember(leader)
    expect(names()).toEqual(['first', 'second', 'third'])
  }, 60_000)

  test('is read through any member, but not through one that has lost the others', async () => {
    const leader = cluster.leader() ?? 0
    const reader = connect({ remote: `ssl:127.0.0.1:${7200 + leader}` })
    await reader.start(stop.signal)
    expect(names(reader)).toEqual(['first', 'second', 'third'])
    const [one = 0, two = 0] = [1, 2, 3].filter((number) => number !== leader)
    await cluster.killMember(one)
    await cluster.killMember(two)
    const isAlone = () => (reader.isConnected ? undefined : true)
    await waitFor(reader, isAlone, { what: 'the end of the connection to the last member', timeoutMs: 20_000 })
    expect(names(reader)).toEqual(['first', 'second', 'third'])
    await cluster.startMember(one)
    const isBack = () => (reader.isConnected ? true : undefined)
    await waitFor(reader, isBack, { what: 'a connection to the majority', timeoutMs: 20_000 })
    await addSwitch('fourth')
    await waitFor(reader, () => names(reader).includes('fourth') || undefined, { what: 'the row', timeoutMs: 5000 })
    await reader.stop()
  }, 90_000)
})

describe('an older version of the northbound database', () => {
  test('is written without what it does not have yet', async () => {
    const cluster = await DatabaseCluster.start()
    const schema = JSON.parse(readFileSync('/usr/share/ovn/ovn-nb.ovsschema', 'utf8'))
    // As OVN 22.03.
    delete schema.tables.Static_MAC_Binding
    delete schema.tables.Copp.columns.name
    delete schema.tables.Copp.indexes
    const file = (name: string): string => join(cluster.folder, name)
    writeFileSync(file('old.ovsschema'), JSON.stringify(schema))
    execFileSync('ovsdb-tool', ['create', file('old.db'), file('old.ovsschema')])
    const server = spawn('ovsdb-server', [
      file('old.db'),
      `--remote=punix:${file('old.sock')}`,
      `--unixctl=${file('o.ctl')}`,
    ])
    const northbound = new Northbound({ northbound: `unix:${file('old.sock')}`, tls: undefined }, silentLog)
    try {
      await northbound.client.start(AbortSignal.timeout(10_000))
      const gateway = {
        ...{ bridge: 'brens3', interfaceId: 'brens3_n1', mac: '52:54:00:00:00:01', vlanId: '0' },
        ...{ addresses: ['192.168.200.10/24'], nextHops: ['192.168.200.1'] },
      }
      const desired = buildTopology({
        nodes: [{ name: 'n1', subnets: ['10.144.0.0/24'], number: 2, chassisId: 'c', gateway }],
        multicastNamespaces: [],
        options: {
          ...{ netCidrs: ['10.144.0.0/16'], gatewayMode: 'local', hostCidrs: [], mtuBytes: 1400 },
          ...{ disableSnatMultipleGateways: true, disablePacketMtuCheck: true, multicastEnabled: true },
        },
      })
      const write = () =>
        northbound.write((transaction) => planRows(northbound.view, desired, { scope: 'topology', transaction }))
      expect(await write()).toBe(true)
      expect(await write()).toBe(false)
      expect([...northbound.client.table('Logical_Router').rows()].map(({ name }) => name).sort()).toEqual([
        'GR_n1',
        'ovn_cluster_router',
      ])
    } finally {
      await northbound.client.stop()
      server.kill('SIGKILL')
      await cluster.close()
    }
  }, 60_000)
})

describe('TLS on the node', () => {
  test('ovn-controller is told its files, and pods come up over ssl: alone', async () => {
    const cluster = await OvnCluster.start({ hasTls: true })
    try {
      const [a, b] = [await cluster.runPod('a', 'n1'), await cluster.runPod('b', 'n2')]
      expect(await canPing(a, b.address)).toBe(true)
      expect(cluster.vsctl('n1', 'get', 'Open_vSwitch', '.', 'external_ids:ovn-remote')).toBe(
        '"ssl:192.168.122.11:6642"',
      )
      expect(cluster.vsctl('n1', 'get-ssl')).toContain('Private key: ')
      await cluster.removeAgent(cluster.node('n1'))
      expect(cluster.vsctl('n1', 'get-ssl')).toBe('')
    } finally {
      await cluster.close()
    }
  }, 60_000)
})
