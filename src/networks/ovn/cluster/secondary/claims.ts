import { describeError } from '../../../../base/errors.ts'
import type { Log } from '../../../../base/log.ts'
import { retry } from '../../../../base/retry.ts'
import type { Informer, KubeClient } from '../../../../kube/api.ts'
import { isNotFound } from '../../../../kube/errors.ts'
import { keyOf } from '../../../../kube/resources/meta.ts'
import { AddressUnavailableError } from '../../ipam/pod-addresses.ts'
import { type IpamClaim, ipamClaims } from '../../resources/ipam-claim.ts'
import type { SecondaryRequest } from '../../secondary/select.ts'

/** Addresses that outlive their pods: the IPAMClaims that pods refer to, in the namespaces of the pods. */
export class PersistentAddresses {
  readonly #kube: KubeClient
  readonly #log: Log
  readonly #claims: Informer<IpamClaim>
  readonly #underWay = new Set<string>()

  constructor({ kube, log, claims }: { kube: KubeClient; log: Log; claims: Informer<IpamClaim> }) {
    this.#kube = kube
    this.#log = log
    this.#claims = claims
  }

  list(): readonly IpamClaim[] {
    return this.#claims.list()
  }

  /** Owners of addresses that are still asked for. */
  owners(): Set<string> {
    return new Set(this.#claims.list().map(claimOwner))
  }

  /** The claim that a pod refers to; undefined when it refers to none. Throws AddressUnavailableError. */
  find({ selection, network }: SecondaryRequest, namespace: string): IpamClaim | undefined {
    const name = selection.ipamClaimReference
    if (name === undefined) return undefined
    if (!network.allowsPersistentIps) {
      throw new AddressUnavailableError(
        `network "${network.name}" gives no persistent addresses to IPAMClaim ${name}`,
        {
          fix: 'set "allowPersistentIPs": true in its configuration, which needs subnets',
        },
      )
    }
    const claim = this.#claims.get(name, namespace)
    if (claim === undefined) throw new AddressUnavailableError(`there is no IPAMClaim ${namespace}/${name}`)
    if (claim.spec?.network !== network.name) {
      throw new AddressUnavailableError(
        `IPAMClaim ${namespace}/${name} is for network "${claim.spec?.network}", not for "${network.name}"`,
      )
    }
    return claim
  }

  /** Writes what was given into the claim. One that has addresses already, or is gone, is left alone. */
  async record({ metadata }: IpamClaim, ips: readonly string[]): Promise<void> {
    const claim = this.#claims.get(metadata.name, metadata.namespace)
    if (claim === undefined || claim.metadata.uid !== metadata.uid || (claim.status?.ips ?? []).length > 0) return
    const key = keyOf(claim)
    if (this.#underWay.has(key)) return
    this.#underWay.add(key)
    try {
      await this.#write(claim, [...ips])
    } catch (error) {
      // The next start, or the next change of the claim or its pod, comes here again.
      this.#log.warn({ claim: key, error: describeError(error) }, 'IPAMClaim not written')
    } finally {
      this.#underWay.delete(key)
    }
  }

  async #write(claim: IpamClaim, ips: string[]): Promise<void> {
    const { name, namespace, uid } = claim.metadata
    let latest: IpamClaim | undefined = claim
    await retry(
      async (attempt) => {
        if (attempt > 0) latest = await this.#kube.find(ipamClaims, name, namespace)
        if (latest === undefined || latest.metadata.uid !== uid || (latest.status?.ips ?? []).length > 0) return
        await this.#kube.updateStatus(ipamClaims, { ...latest, status: { ...latest.status, ips } })
      },
      { attempts: 8, minDelayMs: 20, maxDelayMs: 1000, retryable: (error) => !isNotFound(error) },
    ).catch((error: unknown) => {
      if (!isNotFound(error)) throw error
    })
  }
}

/** Who has the addresses of a claim, in place of its pods. */
export function claimOwner(claim: IpamClaim): string {
  return `IPAMClaim ${keyOf(claim)}`
}
