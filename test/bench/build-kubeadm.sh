#!/bin/sh
# Compiles kubeadm from the source package that `images/builder/run.sh` fetched and generated code for, with the same
# settings. Runs inside the build root, with that script's /build; leaves /build/kubeadm.
set -eu
tree=/build/src/kubernetes
export GOPATH="$tree/.go" GOCACHE=/build/go-cache CGO_ENABLED=0 KUBE_GIT_VERSION_FILE=/build/version.sh GOLDFLAGS='-s -w' HOME=/build
cd "$tree/.go/src/k8s.io/kubernetes"
make WHAT=cmd/kubeadm
cp _output/bin/kubeadm /build/kubeadm
