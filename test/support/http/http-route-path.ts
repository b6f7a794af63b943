/**
 * Whether a Gateway API HTTPRoute accepts the path for a PathPrefix or Exact match. Source: the CEL rules of
 * HTTPPathMatch, gateway.networking.k8s.io/v1.
 */
export function isHttpRoutePath (path: string): boolean {
  return path.startsWith('/') && path.length <= 1_024 &&
    ['//', '/./', '/../', '%2f', '%2F', '#'].every((forbidden) => !path.includes(forbidden)) &&
    !path.endsWith('/..') && !path.endsWith('/.') &&
    /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$/.test(path)
}
