import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { testDefinition, testPod } from '../support/agent.ts'
import type { CniOutcome } from '../support/cni.ts'
import { usePodSandbox } from './support/pod-sandbox.ts'

/** Configuration files as their users have them today, called as a runtime calls them: by the name in `type`. */
describe('a configuration file written for Multus', () => {
  const sandbox = usePodSandbox()

  const network = (name: string, type: string, subnet: string): object => ({
    cniVersion: '0.3.1',
    name,
    type,
    ...(type === 'bridge' ? { bridge: `br-${name}` } : {}),
    ipam: { type: 'host-local', subnet, dataDir: join(sandbox.folder, 'ipam') },
  })

  async function startAgent(): Promise<void> {
    await sandbox.startAgent({
      pods: [testPod('web', 'storage@net9')],
      definitions: [
        { metadata: { name: 'storage', namespace: 'default' } },
        {
          ...testDefinition('everywhere', network('everywhere', 'bridge', '10.3.0.0/24')),
          metadata: { name: 'everywhere', namespace: 'kube-system' },
        },
      ],
    })
  }

  function call(command: string, config: { type: string }): Promise<CniOutcome> {
    const args = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c1'
    return sandbox.call(command, config, { CNI_ARGS: args })
  }

  test('in its thin form, with delegates, attaches the pod by the executable "multus"', async () => {
    const confDir = join(sandbox.folder, 'multus.d')
    await mkdir(confDir, { recursive: true })
    await writeFile(join(confDir, 'storage.conf'), JSON.stringify(network('storage', 'bridge', '10.2.0.0/24')))
    await mkdir(join(sandbox.folder, 'plugins'), { recursive: true })
    await copyFile('/usr/lib/cni/ptp', join(sandbox.folder, 'plugins/only-in-bin-dir'))
    await startAgent()
    const config = {
      cniVersion: '0.3.1',
      name: 'multus-cni-network',
      type: 'multus',
      capabilities: { portMappings: true },
      logLevel: 'verbose',
      logFile: '/var/log/multus.log',
      confDir,
      cniDir: '/var/lib/cni/multus',
      binDir: join(sandbox.folder, 'plugins'),
      retryDeleteOnError: false,
      kubeconfig: '/etc/cni/net.d/multus.d/multus.kubeconfig',
      delegates: [network('k8s-pod-network', 'only-in-bin-dir', '10.1.0.0/24')],
    }
    const { code, json } = await call('ADD', config)
    expect(code).toBe(0)
    expect(json).toMatchObject({ cniVersion: '0.3.1', ips: [{ version: '4', address: '10.1.0.2/24' }] })
    expect(await sandbox.interfaces()).toEqual(['eth0', 'net9'])
    expect(await call('DEL', config)).toEqual({ code: 0, json: undefined })
    expect(await sandbox.interfaces()).toEqual([])
  })

  test('that names a readiness file keeps pods waiting for it, and keeps no pod from going', async () => {
    await startAgent()
    const readinessindicatorfile = join(sandbox.folder, 'ready')
    const config = {
      cniVersion: '1.1.0',
      name: 'multus-cni-network',
      type: 'multus',
      readinessindicatorfile,
      delegates: [network('k8s-pod-network', 'ptp', '10.5.0.0/24')],
      confDir: join(sandbox.folder, 'multus.d'),
    }
    await mkdir(config.confDir, { recursive: true })
    await writeFile(join(config.confDir, '00-broken.conf'), '{')
    await writeFile(join(config.confDir, 'storage.conf'), JSON.stringify(network('storage', 'bridge', '10.2.0.0/24')))
    expect((await call('STATUS', config)).json).toMatchObject({ code: 50 })
    expect(await call('DEL', config)).toEqual({ code: 0, json: undefined })
    const added = call('ADD', config)
    await writeFile(readinessindicatorfile, '')
    expect((await added).code).toBe(0)
    expect(await sandbox.interfaces()).toEqual(['eth0', 'net9'])
    await rm(readinessindicatorfile)
    expect((await call('DEL', config)).code).toBe(0)
    expect(await sandbox.interfaces()).toEqual([])
  })

  test('in its thick form, with clusterNetwork and defaultNetworks, attaches it by "multus-shim"', async () => {
    const netd = join(sandbox.folder, 'host-net.d')
    const confDir = join(sandbox.folder, 'multus.d')
    for (const folder of [netd, confDir]) await mkdir(folder)
    await writeFile(join(confDir, 'storage.conf'), JSON.stringify(network('storage', 'bridge', '10.2.0.0/24')))
    const path = join(netd, '10-calico.conflist')
    const list = { cniVersion: '0.3.1', name: 'k8s-pod-network', plugins: [network('x', 'ptp', '10.4.0.0/24')] }
    await writeFile(path, JSON.stringify(list))
    await startAgent()
    const config = {
      cniVersion: '0.3.1',
      name: 'multus-cni-network',
      type: 'multus-shim',
      logLevel: 'verbose',
      logToStderr: true,
      socketDir: '/run/multus/',
      confDir,
      clusterNetwork: path,
      defaultNetworks: ['everywhere'],
    }
    const { code, json } = await call('ADD', config)
    expect(code).toBe(0)
    expect(json).toMatchObject({ ips: [{ address: '10.4.0.2/24' }] })
    expect(await sandbox.interfaces()).toEqual(['eth0', 'net1', 'net9'])
    expect(await call('DEL', config)).toEqual({ code: 0, json: undefined })
    expect(await sandbox.interfaces()).toEqual([])
  })
})
