import { runAll } from '../base/undo.ts'
import type { NetworkDriver, NodeDeps, NodeSide } from '../networks/driver.ts'
import { findDriver } from '../networks/registry.ts'
import type { Devices } from './devices/devices.ts'
import { withDeviceInfo } from './devices/with-device-info.ts'
import type { NetworkMeter } from './network-meter.ts'

/** A network of this node: its driver and the node side that runs here. */
export interface Network {
  readonly driver: NetworkDriver
  readonly nodeSide: NodeSide
}

/** Every network of this node. */
export class Networks {
  readonly all: readonly Network[]
  readonly #findDriver: (type: string) => NetworkDriver

  constructor(all: readonly Network[], find: (type: string) => NetworkDriver = findDriver) {
    this.all = all
    this.#findDriver = find
  }

  findDriver(type: string): NetworkDriver {
    return this.#findDriver(type)
  }

  nodeSide(driver: NetworkDriver): NodeSide {
    return this.get(driver.name).nodeSide
  }

  /** Throws when a record names a network that this version does not have. */
  get(name: string): Network {
    const found = this.all.find((network) => network.driver.name === name)
    if (found === undefined) throw new Error(`this agent has no network "${name}"`)
    return found
  }

  /** Resolves when every network can attach pods. */
  async start(signal: AbortSignal): Promise<void> {
    await Promise.all(this.all.map(({ nodeSide }) => nodeSide.start(signal)))
  }

  async stop(): Promise<void> {
    await runAll(
      'stopping networks',
      this.all.map(
        ({ nodeSide }) =>
          () =>
            nodeSide.stop(),
      ),
    )
  }
}

/** Node sides of all drivers. Throws ConfigError naming the network's field. */
export function createNetworks(
  drivers: readonly NetworkDriver[],
  settings: Readonly<Record<string, unknown>>,
  deps: NodeDeps & { devices: Devices },
  meter: NetworkMeter,
): Networks {
  const all = drivers.map((driver) => ({
    driver,
    nodeSide: meter.measured(
      withDeviceInfo(
        driver.nodeSide(driver.parseSettings(settings[driver.name]), {
          ...deps,
          log: deps.log.child({ network: driver.name }),
        }),
        deps.devices,
      ),
    ),
  }))
  return new Networks(all)
}
