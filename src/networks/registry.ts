import type { NetworkDriver } from './driver.ts'
import { routedDriver } from './routed/driver.ts'

/** Every network there is. The only file that names them all. */
export const drivers: readonly NetworkDriver[] = [routedDriver]
