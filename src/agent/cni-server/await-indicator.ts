import { existsSync } from 'node:fs'
import { describeError } from '../../base/errors.ts'
import { fileAppears } from '../../base/file-appears.ts'
import { CniError, cniErrorCode } from '../../cni/errors.ts'
import type { CniRequest } from '../../cni/request.ts'
import { parseMetaConfig } from '../../meta/net-conf.ts'
import { isForWholePod } from './select.ts'

/** Multus' time for the default network to say that it is ready. */
const timeoutMs = 45_000

/**
 * What an ADD of a pod waits for before it takes its turn: `readinessindicatorfile`. At the start of a node all pods
 * wait for it at once. Throws CniError.
 */
export async function awaitIndicator(request: CniRequest, signal: AbortSignal): Promise<void> {
  if (request.command !== 'ADD' || !isForWholePod(request)) return
  const { readinessIndicatorFile: file } = parseMetaConfig(request.config)
  if (file === undefined || existsSync(file)) return
  try {
    await fileAppears(file, { what: `the default network to be ready (${file})`, timeoutMs, signal })
  } catch (cause) {
    throw new CniError(cniErrorCode.tryAgainLater, describeError(cause), {
      fix: 'Look at what writes the file, or correct readinessindicatorfile.',
      cause,
    })
  }
}
