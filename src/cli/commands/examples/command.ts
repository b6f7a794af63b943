/**
 * Two command lines of each command that its help shows, as somebody would type them. A test holds that they can be
 * read.
 */
export const EXAMPLES: Readonly<Record<string, readonly [string, string, ...string[]]>> = {
  serve: [
    'aim-admission serve --manifests deploy/examples',
    'aim-admission serve --kubeconfig ~/.kube/config --cert-file tls.crt --key-file tls.key',
    'aim-admission serve --record /var/lib/aim-admission/reviews'
  ],
  reconcile: [
    'aim-admission reconcile --kubeconfig ~/.kube/config',
    'aim-admission reconcile --rollout-rate 20 --rollout-failure-limit 1'
  ],
  review: [
    'kustomize build overlays/prod | aim-admission review -f - -o report',
    'aim-admission review -R -f services --configs configs -o sarif > review.sarif',
    'aim-admission review --what-if new-config.yaml --kubeconfig ~/.kube/config',
    'aim-admission review --replay reviews -o report'
  ],
  explain: [
    'kubectl aim explain llama-chat -n ml-team --check',
    'aim-admission explain translator -f deploy/examples -o json'
  ],
  doctor: [
    'aim-admission doctor --kubeconfig ~/.kube/config',
    'aim-admission doctor --server 127.0.0.1:8443 -o json'
  ],
  test: [
    'aim-admission test deploy/examples-tests',
    'aim-admission test deploy/examples-tests --update'
  ],
  manifests: [
    'aim-admission manifests crds | kubectl apply -f -',
    'aim-admission manifests webhooks --url https://admission.example.com:8443 --ca-file ca.crt | kubectl apply -f -'
  ],
  completion: [
    'source <(aim-admission completion bash)',
    'aim-admission completion fish > ~/.config/fish/completions/aim-admission.fish'
  ]
}

/** The part of the help that shows them; empty for a command without any. */
export function examplesText (command: string): string {
  const examples = EXAMPLES[command] ?? []
  return examples.length === 0 ? '' : `\nExamples:\n${examples.map((example) => `  ${example}\n`).join('')}`
}
