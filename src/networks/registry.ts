import { delegateDriver } from './delegate/driver.ts'
import type { NetworkDriver } from './driver.ts'
import { ovnDriver } from './ovn/driver.ts'
import { routedDriver } from './routed/driver.ts'

/** Every network there is. The only file that names them all. */
export const drivers: readonly NetworkDriver[] = [routedDriver, ovnDriver, delegateDriver]

/** The driver that serves a CNI type; any type that none serves itself is another plugin's, run by the delegate driver. */
export function findDriver(type: string): NetworkDriver {
  return drivers.find((driver) => driver.types.includes(type)) ?? delegateDriver
}
