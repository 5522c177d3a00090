//! The cloud service: edges bring what happened in their branches, members' apps ask for it.
