"""A Kubernetes control plane for tests, with the shipped manifests in it and the real program behind them.

`cluster.Cluster` starts etcd, kube-apiserver and kube-controller-manager in a network of the test run's own (network.py).
`kubelet.Kubelet` plays scheduler and kubelet for one namespace: it runs this repository's program as a pod's container would
run, each pod with its own network, file system, user and probes. `install.py` applies the manifests that users apply.
`api.Api` speaks to the API server as one user.

For the guard there is `stage.Stage`: the real Traefik on loopback, one guard or several, and something behind them that answers
as Odoo does; `nginx.py`, `redis.py` and `clients.py` are more of its peers. None of that needs a cluster, or root.

Nothing sleeps for luck: `wait.until` polls a condition until a deadline.
"""
