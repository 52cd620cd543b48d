"""Submissions to the WMT shared tasks on quality estimation."""
